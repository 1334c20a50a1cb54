# repository ggml-org+whisper.cpp
# tool make
# source src/whisper.cpp
FROM tools:tools
WORKDIR /app
RUN apt-get update && apt-get install -y build-essential wget cmake git && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*
COPY . .
RUN cmake -B build -DGGML_NATIVE=OFF
RUN cmake --build build -j 2 --target whisper-cli
