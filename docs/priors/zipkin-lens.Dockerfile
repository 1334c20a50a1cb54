# repository openzipkin+zipkin
# folder zipkin-lens
# tool npm
# manifest package.json
# source src/index.tsx
FROM tools:node
WORKDIR /code
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . .
RUN --mount=type=cache,target=/code/node_modules/.cache npm run build
