# repository activist-org+activist
# folder backend
# tool uv
# manifest pyproject.toml
# source core/__init__.py
FROM tools:python
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV UV_LINK_MODE=copy
COPY ./pyproject.toml ./uv.lock* ./
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev
COPY . .
RUN python manage.py collectstatic --no-input
