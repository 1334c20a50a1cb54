# repository getredash+redash
# tool uv
# manifest pyproject.toml
# source redash/__init__.py
FROM tools:python
RUN useradd --create-home redash
RUN apt-get update && apt-get install -y --no-install-recommends pkg-config curl gnupg build-essential pwgen libffi-dev sudo git-core libkrb5-dev libpq-dev g++ unixodbc-dev xmlsec1 libssl-dev default-libmysqlclient-dev freetds-dev libsasl2-dev unzip libsasl2-modules-gssapi-mit && apt-get clean && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-install-project --no-default-groups
COPY --chown=redash . /app
RUN chown redash /app
