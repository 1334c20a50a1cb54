# repository CTFd+CTFd
# tool pip
# manifest requirements.txt
# source CTFd/__init__.py
FROM tools:python
WORKDIR /opt/CTFd
RUN apt-get update && apt-get install -y --no-install-recommends build-essential libffi-dev libssl-dev git && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt
COPY . /opt/CTFd
RUN pybabel compile -d CTFd/translations -f
RUN python -m compileall -q CTFd
RUN useradd --no-log-init --shell /bin/bash -u 1001 ctfd && mkdir -p /var/log/CTFd /var/uploads && chown -R 1001:1001 /var/log/CTFd /var/uploads /opt/CTFd && chmod +x /opt/CTFd/docker-entrypoint.sh
