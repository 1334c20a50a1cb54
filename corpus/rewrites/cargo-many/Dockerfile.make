FROM tools:rust AS build
WORKDIR /app
COPY . .
RUN make release
FROM debian:trixie
COPY --from=build /app/target/release/top /top
