/** Whether the heap is nearly full of what is alive; what merely waits to be collected does not count. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface HeapPressure {
  isHigh(): boolean
  stop(): void
}

/** Of the heap's limit. */
const highShare = 0.8
/** So full that nothing is waited for. */
const fullShare = 0.92
const lookEveryMs = 100
const collectEveryMs = 3_000

export function watchHeap(): HeapPressure {
  const share = (): number => {
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
    return used / limit
  }
  let high = false
  let collectedAt = -collectEveryMs
  const look = (): void => {
    const used = share()
    if (used <= highShare) high = false
    else if (performance.now() - collectedAt >= collectEveryMs) {
      // Refusing makes little garbage: the collection that shows that there is room again might not come for long by itself.
      collect()
      collectedAt = performance.now()
      high = share() > highShare
    } else if (used > fullShare) high = true
  }
  const timer = setInterval(look, lookEveryMs)
  timer.unref()
  return { isHigh: () => high, stop: () => clearInterval(timer) }
}

let gc: (() => void) | undefined
function collect(): void {
  if (!gc) {
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as () => void
  }
  gc()
}
