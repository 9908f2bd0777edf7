/** A real nginx of a test's own with the configuration that the product ships, on free ports of the loopback, not as root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { root } from '../doc-snippets.ts'
import { findProgram, freePort } from './redis-server.ts'

export interface TestNginx {
  readonly httpPort: number
  readonly httpsPort: number
  /** The certificate that it shows, which signed itself. */
  readonly certificate: string
  /** What it logged about requests. */
  accessLog(): Promise<string>
  /** What it said went wrong, lately. */
  errors(): string
  stop(): Promise<void>
}

const nobody = 65_534

/** Replaces what a person changes, and fails when the shipped file no longer has it. */
function put(text: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`the shipped configuration has no "${from}"`)
    return changed.replaceAll(from, to)
  }, text)
}

const opens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    }).on('error', () => resolve(false))
  })

/** `ports`: of the two processes behind it. */
export async function startTestNginx(ports: readonly [number, number]): Promise<TestNginx> {
  const program = await findProgram('nginx')
  if (program === null) throw new Error('nginx is not installed')
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-nginx-'))
  const file = (name: string) => path.join(directory, name)
  const [httpPort, httpsPort] = [await freePort(), await freePort()]
  const [key, certificate] = [file('tls.key'), file('tls.crt')]
  const names = 'subjectAltName=DNS:work.example.org,IP:127.0.0.1'
  const asked = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', [...asked, '-subj', '/CN=work.example.org', '-addext', names, '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  })
  const shipped = (name: string) => readFile(path.join(root, 'deploy', name), 'utf8')
  const upstream = put(await shipped('nginx-upstream.conf'), {
    '127.0.0.1:7420': `127.0.0.1:${ports[0]}`,
    '127.0.0.1:7421': `127.0.0.1:${ports[1]}`,
  })
  const server = put(await shipped('nginx.conf'), {
    'listen 80;': `listen 127.0.0.1:${httpPort};`,
    'listen 443 ssl;': `listen 127.0.0.1:${httpsPort} ssl;`,
    '/etc/nginx/tls/work-manager.crt': certificate,
    '/etc/nginx/tls/work-manager.key': key,
    '/var/log/nginx/work-manager.log': file('access.log'),
  })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${file(`${name}_temp`)};`)
  await writeFile(file('upstream.conf'), upstream)
  await writeFile(file('server.conf'), server)
  await writeFile(
    file('nginx.conf'),
    [
      'daemon off;',
      `pid ${file('nginx.pid')};`,
      'error_log stderr warn;',
      'worker_processes 1;',
      'events {}',
      `http { access_log off; ${temporary.join(' ')} include ${file('upstream.conf')}; include ${file('server.conf')}; }`,
    ].join('\n'),
  )
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    await chmod(key, 0o600)
    await Promise.all([directory, key].map((each) => chown(each, nobody, nobody)))
  }
  const child: ChildProcess = spawn(program, ['-p', directory, '-e', 'stderr', '-c', file('nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot && { uid: nobody, gid: nobody }),
  })
  let said = ''
  child.stderr!.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-10_000)))
  while (!(await opens(httpsPort))) {
    if (child.exitCode !== null) throw new Error(`nginx ended (${child.exitCode}): ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    httpPort,
    httpsPort,
    certificate: await readFile(certificate, 'utf8'),
    errors: () => said,
    accessLog: () => readFile(file('access.log'), 'utf8'),
    async stop() {
      if (child.exitCode === null) {
        const gone = once(child, 'exit')
        child.kill('SIGTERM')
        await gone
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}
