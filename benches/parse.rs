//! Parsing beside the `parse-dockerfile` crate, on the same files in one run.
//!
//! In: generated Dockerfiles of three sizes, and every file below `CACHEPLAN_DOCKERFILES` that is named like a
//! Dockerfile, as one batch. Ours shares one joined text, with places back in the file and diagnostics; theirs
//! borrows from the file's.

use cacheplan::dockerfile::parse;
use cacheplan::source::SourceFile;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;

/// As in the program, for both sides.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stages as people write them: comments, continued RUNs, flags, JSON, a heredoc.
fn generated(stages: usize) -> String {
    let mut out = String::from("# syntax=docker/dockerfile:1\nARG VERSION=22\n");
    for stage in 0..stages {
        out += &format!("\n# stage {stage}\nFROM node:${{VERSION}}-slim AS stage{stage}\n");
        out += "ENV NODE_ENV=production PATH=/app/bin:$PATH \\\n    LANG=C.UTF-8\nWORKDIR /app\n";
        out += "RUN --mount=type=cache,target=/var/cache/apt apt-get update && \\\n    # what the build needs\n";
        out += "    apt-get install -y --no-install-recommends \\\n        curl git make \\\n    && rm -rf /var/lib/apt/lists/*\n";
        out += "COPY --chown=node:node package.json package-lock.json ./\nRUN npm ci --omit=dev\nCOPY . .\n";
        out += "RUN <<EOF\nset -e\nnpm run build\nrm -rf src\nEOF\n";
        out += "EXPOSE 3000/tcp\nHEALTHCHECK --interval=30s CMD curl -f http://localhost:3000/ || exit 1\n";
        out += "ENTRYPOINT [\"node\", \"--enable-source-maps\"]\nCMD [\"dist/server.js\"]\n";
    }
    out
}

/// Files of a folder named like Dockerfiles that both sides read.
fn collect(folder: &Path, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, out);
        } else if name.contains("Dockerfile")
            && let Ok(text) = std::fs::read_to_string(&path)
            && parse_dockerfile::parse(&text).is_ok()
        {
            out.push(text);
        }
    }
}

fn compare(c: &mut Criterion) {
    let mut sets: Vec<(String, Vec<String>)> = [1, 5, 50]
        .into_iter()
        .map(|n| (format!("{n} stages"), vec![generated(n)]))
        .collect();
    if let Some(folder) = std::env::var_os("CACHEPLAN_DOCKERFILES") {
        let mut files = Vec::new();
        collect(Path::new(&folder), &mut files);
        sets.push((format!("{} real files", files.len()), files));
    }
    let mut group = c.benchmark_group("parse");
    for (name, files) in &sets {
        let bytes: usize = files.iter().map(String::len).sum();
        group.throughput(Throughput::Bytes(bytes as u64));
        // Both sides start from a file in memory; line numbers are part of the work.
        let sources: Vec<SourceFile> = files
            .iter()
            .map(|text| SourceFile::new("Dockerfile", text.as_str()))
            .collect();
        group.bench_with_input(
            BenchmarkId::new("cacheplan", name),
            &sources,
            |b, sources| {
                b.iter(|| {
                    for source in sources {
                        black_box(parse(source));
                    }
                });
            },
        );
        group.bench_with_input(
            BenchmarkId::new("parse-dockerfile", name),
            files,
            |b, files| {
                b.iter(|| {
                    for text in files {
                        black_box(parse_dockerfile::parse(text).is_ok());
                    }
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, compare);
criterion_main!(benches);
