# repository louislam+uptime-kuma
# tool npm
# manifest package.json
# source src/main.js
FROM tools:node
RUN apt update && apt --yes --no-install-recommends install sqlite3 ca-certificates iputils-ping util-linux dumb-init curl sudo nscd && rm -rf /var/lib/apt/lists/* && apt --yes autoremove
WORKDIR /app
ENV PUPPETEER_SKIP_DOWNLOAD=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
COPY package.json package.json
COPY package-lock.json package-lock.json
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --legacy-peer-deps
COPY . .
RUN --mount=type=cache,target=/app/node_modules/.cache npm run build
RUN mkdir ./data
