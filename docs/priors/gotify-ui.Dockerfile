# repository gotify+server
# folder ui
# tool yarn
# manifest package.json
# source src/index.tsx
FROM tools:node
WORKDIR /src/gotify/ui
ENV PUPPETEER_SKIP_DOWNLOAD=1
COPY package.json yarn.lock ./
RUN --mount=type=cache,target=/usr/local/share/.cache/yarn yarn install --frozen-lockfile
COPY . .
RUN --mount=type=cache,target=/src/gotify/ui/node_modules/.cache yarn build
