/** For `node --import`: programs beside order types, such as their tests, find what order types find. */
import { offerOwnPackages } from './own-packages.ts'

offerOwnPackages()
