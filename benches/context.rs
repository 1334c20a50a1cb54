//! The walk against the walker of the `ignore` crate, the hash against `b3sum` where it is installed,
//! and a second run against the first. Trees are generated once below the temporary folder and stay.

use cacheplan::context::{Hashing, WalkOptions, walk, walk_cached};
use cacheplan::pattern::IgnoreRules;
use cacheplan::source::SourceFile;
use criterion::{Criterion, criterion_group, criterion_main};
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 50,000 files of about 2 kB in 1,000 folders, and with `large` two gigabytes in four more.
fn tree(large: bool) -> PathBuf {
    let root = std::env::temp_dir().join(if large {
        "cacheplan-bench-large"
    } else {
        "cacheplan-bench-small"
    });
    let done = root.with_extension("done");
    if done.exists() {
        return root;
    }
    let mut state = 1_u64;
    let mut block = vec![0_u8; 1 << 20];
    for byte in &mut block {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *byte = (state >> 33) as u8;
    }
    for folder in 0..1000 {
        let dir = root.join(format!("g{}/d{folder}", folder % 25));
        fs::create_dir_all(&dir).expect("made");
        for file in 0..50 {
            let n = folder * 50 + file;
            let from = n * 17 % 900_000;
            fs::write(
                dir.join(format!("f{n}.c")),
                &block[from..from + 500 + n % 3000],
            )
            .expect("written");
        }
    }
    for i in (0..4).filter(|_| large) {
        let mut file = fs::File::create(root.join(format!("large{i}"))).expect("made");
        for j in 0..512_usize {
            file.write_all(&block[j..]).expect("written");
            file.write_all(&block[..j]).expect("written");
        }
    }
    fs::write(done, "").expect("written");
    root
}

fn rules(text: &str) -> IgnoreRules {
    IgnoreRules::parse(&SourceFile::new(".dockerignore", text)).0
}

/// The other walker alone, on as many threads, with one `lstat` an entry or with none.
fn bare(root: &Path, stat: bool) -> u64 {
    let count = AtomicU64::new(0);
    ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .build_parallel()
        .run(|| {
            Box::new(|entry| {
                if let Ok(entry) = entry {
                    let size = if stat {
                        entry.metadata().map_or(0, |m| m.len())
                    } else {
                        1
                    };
                    count.fetch_add(size, Ordering::Relaxed);
                }
                ignore::WalkState::Continue
            })
        });
    count.into_inner()
}

fn walking(c: &mut Criterion) {
    let root = tree(false);
    let names = WalkOptions {
        hashing: Hashing::None,
    };
    let (none, some) = (
        rules(""),
        rules(".git\n**/*.log\n**/node_modules\ntarget\n*.md\n"),
    );
    let mut group = c.benchmark_group("walk of 50,000 files");
    group.sample_size(20);
    group.bench_function("walker alone", |b| b.iter(|| bare(&root, false)));
    group.bench_function("walker and lstat", |b| b.iter(|| bare(&root, true)));
    group.bench_function("no rules", |b| b.iter(|| walk(&root, &none, names)));
    group.bench_function("five rules", |b| b.iter(|| walk(&root, &some, names)));
    group.finish();
}

fn hashing(c: &mut Criterion) {
    let root = tree(true);
    let none = rules("");
    let mut group = c.benchmark_group("50,000 files and 2 GiB");
    group.sample_size(10);
    group.bench_function("walk and hash", |b| {
        b.iter(|| walk(&root, &none, WalkOptions::default()))
    });
    // The program takes the list as arguments, of which there can be only so many.
    let list: Vec<PathBuf> = walk(
        &root,
        &none,
        WalkOptions {
            hashing: Hashing::None,
        },
    )
    .expect("walked")
    .entries
    .into_iter()
    .filter(|e| e.kind == cacheplan::context::EntryKind::File)
    .map(|e| root.join(String::from_utf8_lossy(&e.path).as_ref()))
    .collect();
    if Command::new("b3sum").arg("--version").output().is_ok() {
        group.bench_function("b3sum, same list", |b| {
            b.iter(|| {
                list.chunks(10_000).all(|part| {
                    let mut program = Command::new("b3sum");
                    let status = program.args(part).stdout(Stdio::null()).status();
                    black_box(status.expect("b3sum runs").success())
                })
            })
        });
    } else {
        eprintln!("no b3sum on PATH: nothing to compare with");
    }
    let store = tempfile::tempdir().expect("a folder");
    let second = || walk_cached(&root, &none, WalkOptions::default(), Some(store.path()));
    second().expect("walked");
    group.bench_function("second run", |b| b.iter(second));
    group.finish();
}

criterion_group!(benches, walking, hashing);
criterion_main!(benches);
