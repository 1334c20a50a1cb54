# repository teslamate-org+teslamate
# folder website
# tool npm
# manifest package.json
# source docusaurus.config.js
FROM tools:node
WORKDIR /site
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --progress=false --no-audit --loglevel=error
COPY . .
RUN --mount=type=cache,target=/site/node_modules/.cache npm run build
