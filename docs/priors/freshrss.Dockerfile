# repository FreshRSS+FreshRSS
# tool npm
# manifest package.json
# source p/scripts/main.js
FROM tools:node
WORKDIR /var/www/FreshRSS
RUN apt-get update && apt-get install --no-install-recommends -y ca-certificates cron curl gettext nginx php-cli php-curl php-gmp php-intl php-mbstring php-sqlite3 php-xml php-zip && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . /var/www/FreshRSS
RUN chmod -R g+r . && chmod -R g+w ./data/
