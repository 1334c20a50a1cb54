# repository ghostfolio+ghostfolio
# tool npm
# manifest package.json
# source apps/api/src/main.ts
FROM tools:node
WORKDIR /ghostfolio
RUN apt-get update && apt-get install -y --no-install-suggests g++ git make openssl python3 && rm -rf /var/lib/apt/lists/*
COPY ./.config .config/
COPY ./CHANGELOG.md CHANGELOG.md
COPY ./LICENSE LICENSE
COPY ./package.json package.json
COPY ./package-lock.json package-lock.json
COPY ./prisma/schema.prisma prisma/
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY ./apps apps/
COPY ./libs libs/
COPY ./nx.json nx.json
