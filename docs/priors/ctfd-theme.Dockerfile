# repository CTFd+CTFd
# folder CTFd/themes/core
# tool yarn
# manifest package.json
# source assets/js/page.js
FROM tools:node
WORKDIR /theme
COPY package.json yarn.lock ./
RUN --mount=type=cache,target=/usr/local/share/.cache/yarn yarn install --frozen-lockfile
COPY . .
RUN --mount=type=cache,target=/theme/node_modules/.cache yarn build
