# What the projects stand on, a stage for each language. Rust and Go are newer than Debian 13 has them: the projects want that.
FROM debian:trixie AS tools
# As in the official image: dpkg does not wait for the disk, no translations.
RUN echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/docker-apt-speedup && echo 'Acquire::Languages "none";' >/etc/apt/apt.conf.d/docker-no-languages
RUN apt-get update && apt-get install -y --no-install-recommends git && apt-get clean && rm -rf /var/lib/apt/lists/*

FROM tools AS python
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip python3-venv python3-dev && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir --break-system-packages uv && python3 -m venv /opt/poetry && /opt/poetry/bin/pip install --no-cache-dir poetry && ln -s /opt/poetry/bin/poetry /usr/local/bin/poetry
RUN ln -s /usr/bin/python3 /usr/local/bin/python && python3 -m venv /venv
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt UV_SYSTEM_CERTS=1
ENV PATH=/venv/bin:$PATH VIRTUAL_ENV=/venv UV_PROJECT_ENVIRONMENT=/venv

FROM tools AS node
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN npm install --prefix /opt/node node@24 && ln -s /opt/node/node_modules/node/bin/node /usr/local/bin/node && npm install -g npm@11 yarn@1 pnpm@11 && npm cache clean --force

FROM tools AS compilers
RUN sed 's/trixie main/sid main/' /etc/apt/sources.list | grep 'sid main' | head -n 1 >/etc/apt/sources.list.d/sid.list && echo "Acquire::Check-Valid-Until \"false\";" >/etc/apt/apt.conf.d/old-lists

FROM compilers AS rust
RUN apt-get update && apt-get install -y --no-install-recommends -t sid cargo && apt-get clean && rm -rf /var/lib/apt/lists/* && cargo --version

FROM compilers AS go
RUN apt-get update && apt-get install -y --no-install-recommends -t sid golang-go && apt-get clean && rm -rf /var/lib/apt/lists/* && go version
