# repository activist-org+activist
# folder services/filescan
# tool uv
# manifest pyproject.toml
# source main.py
FROM tools:python
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends clamav && rm -rf /var/lib/apt/lists/* && mkdir -p /run/clamav /var/run/clamav /var/lib/clamav
ENV UV_LINK_MODE=copy
COPY ./pyproject.toml ./uv.lock* ./
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev
COPY . .
RUN chmod +x /app/entrypoint.sh
