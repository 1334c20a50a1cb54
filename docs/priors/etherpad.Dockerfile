# repository ether+etherpad-lite
# tool pnpm
# manifest package.json
# source src/node/server.ts
FROM tools:node
WORKDIR /opt/etherpad-lite
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./
COPY src/package.json src/
COPY admin/package.json admin/
COPY ui/package.json ui/
COPY bin/package.json bin/
COPY doc/package.json doc/
RUN --mount=type=cache,target=/root/.local/share/pnpm/store pnpm install --frozen-lockfile --ignore-scripts --config.auto-install-peers=false
COPY . .
RUN --mount=type=cache,target=/opt/etherpad-lite/node_modules/.cache pnpm run build:ui
