# repository docker+buildx
# tool go
# source cmd/buildx/main.go
FROM tools:go
ENV GOFLAGS=-mod=vendor CGO_ENABLED=0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build go build -mod=vendor -trimpath -o /usr/bin/docker-buildx ./cmd/buildx
