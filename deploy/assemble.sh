#!/bin/sh
# Puts what a server needs, and nothing else, into a folder: the compiled packages and the dependencies that package-lock.json names,
# without compilers, tests and the embedded PostgreSQL. The Containerfile and docs/deploy.md use it.
#
#   deploy/assemble.sh /opt/work-manager                      for a server with a PostgreSQL of its own
#   deploy/assemble.sh /opt/work-manager amqplib@2.3.1        with the client of a broker that events are published to
set -eu

if [ $# -lt 1 ]; then
  echo "Say into which folder, as in: deploy/assemble.sh /opt/work-manager" >&2
  exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
target=$1
shift
if [ -e "$target" ] && [ -n "$(ls -A "$target")" ]; then
  echo "$target is not empty. Name a new folder for each version, and let a link point to the one that runs (docs/deploy.md)." >&2
  exit 2
fi

(cd "$root" && npm run build)

mkdir -p "$target"
cp "$root/package.json" "$root/package-lock.json" "$root/.npmrc" "$root/LICENSE" "$target"
for name in contract sdk server; do
  mkdir -p "$target/packages/$name"
  # The manifest of the sources: npm ci compares it with the lock file.
  cp "$root/packages/$name/package.json" "$target/packages/$name/"
done
(
  cd "$target"
  npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
  if [ $# -gt 0 ]; then
    npm install --no-save --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund "$@"
  fi
)
for name in contract sdk server; do
  cp -R "$root/dist/$name/." "$target/packages/$name/"
done
mkdir "$target/bin"
ln -s ../packages/server/bin/work-manager.mjs "$target/bin/work-manager"
# Readable by whoever runs it, writable by nobody else.
chmod -R u=rwX,go=rX "$target"
echo "$target is ready: DATABASE_URL=postgres://... $target/bin/work-manager serve"
