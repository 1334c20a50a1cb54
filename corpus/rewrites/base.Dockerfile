# What the projects stand on, a stage for each tool: tools:python, tools:node, tools:rust, tools:ruby, tools:golang, and one for two of them, tools:ruby-node.
FROM debian:trixie AS python
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip python3-venv && apt-get clean
RUN pip install --break-system-packages uv && python3 -m venv /opt/poetry && /opt/poetry/bin/pip install poetry && ln -s /opt/poetry/bin/poetry /usr/local/bin/poetry
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt UV_SYSTEM_CERTS=1

FROM debian:trixie AS node
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm && apt-get clean
RUN npm install -g yarn@1 pnpm@9

FROM debian:trixie AS rust
RUN apt-get update && apt-get install -y --no-install-recommends cargo make && apt-get clean

FROM debian:trixie AS ruby
RUN apt-get update && apt-get install -y --no-install-recommends ruby bundler && apt-get clean

FROM debian:trixie AS golang
RUN apt-get update && apt-get install -y --no-install-recommends golang-go && apt-get clean

FROM ruby AS ruby-node
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm && apt-get clean
