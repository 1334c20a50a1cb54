# repository LukeMathWalker+cargo-chef
# tool cargo
# manifest Cargo.toml
# source src/main.rs
FROM tools:rust
WORKDIR /app
COPY Cargo.toml Cargo.lock ./
RUN --mount=type=cache,target=/root/.cargo/registry mkdir src && touch src/lib.rs src/main.rs && cargo fetch --locked
COPY . .
RUN --mount=type=cache,target=/root/.cargo/registry --mount=type=cache,target=/app/target cargo build --release --locked
