# repository dgtlmoon+changedetection.io
# tool pip
# manifest requirements.txt
# source changedetectionio/__init__.py
FROM tools:python
RUN apt-get update && apt-get install -y --no-install-recommends g++ gcc libc-dev libffi-dev libjpeg-dev libssl-dev libxslt-dev make patch pkg-config zlib1g-dev
RUN mkdir /install
WORKDIR /install
COPY requirements.txt /requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip pip install --prefer-binary -r /requirements.txt
RUN [ ! -d "/datastore" ] && mkdir /datastore
COPY changedetectionio /app/changedetectionio
RUN pybabel compile -d /app/changedetectionio/translations -f
RUN [ ! -d "/app/docs" ] && mkdir /app/docs
COPY docs/api-spec.yaml /app/docs/api-spec.yaml
COPY changedetection.py /app/changedetection.py
WORKDIR /app
COPY docker-entrypoint.sh /docker-entrypoint.sh
RUN chmod +x /docker-entrypoint.sh
