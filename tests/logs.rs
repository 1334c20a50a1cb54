//! Output of a real builder (Docker 28.5, buildx 0.29), kept in `corpus/log`: both formats of one build say the same.

use cacheplan::cost::log::{Log, LogFormat, read, title};
use std::path::Path;

fn log(case: &str, format: &str) -> Log {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/log")
        .join(case)
        .join(format!("{format}.txt"));
    let text = std::fs::read_to_string(&file).expect("readable");
    read(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// What became of every numbered step but FROM, whose state is a matter of luck.
fn steps(log: &Log) -> Vec<String> {
    let numbered = log.steps.iter().filter_map(|s| Some((title(&s.name)?, s)));
    let own =
        numbered.filter(|(t, _)| !t.text.starts_with("FROM ") && !t.text.starts_with("LINK "));
    let mut out: Vec<String> = own
        .filter(|(_, s)| s.seen.as_str() != "not-started")
        .map(|(t, s)| format!("{} {} {} {}", t.stage, t.number, s.seen.as_str(), t.text))
        .collect();
    out.sort();
    out
}

#[test]
fn both_formats_of_a_warm_build_say_the_same() {
    let (plain, raw) = (log("warm", "plain"), log("warm", "rawjson"));
    assert_eq!(plain.format, LogFormat::Plain);
    assert_eq!(raw.format, LogFormat::RawJson);
    let expected = [
        "build 2 cached WORKDIR /app",
        "build 3 cached COPY package.txt ./",
        "build 4 cached RUN <<END (sleep 0.3...)",
        "build 5 executed COPY src ./src",
        "build 6 executed RUN sleep 0.2; cat src/*     > out",
        "stage-1 2 cached COPY --link extra /extra",
        "stage-1 3 executed COPY --from=build /app/out /srv/",
        "stage-1 4 executed RUN cat /srv/out",
    ];
    assert_eq!(steps(&plain), expected);
    assert_eq!(steps(&raw), expected);
    for log in [&plain, &raw] {
        let slept = log
            .find("[build 6/6] RUN sleep 0.2")
            .and_then(|s| s.seconds);
        assert!(slept.is_some_and(|s| (0.2..2.0).contains(&s)), "{slept:?}");
    }
}

#[test]
fn a_failed_build_says_where() {
    for format in ["plain", "rawjson"] {
        let log = log("failed", format);
        let failed: Vec<String> = steps(&log)
            .into_iter()
            .filter(|s| s.contains(" failed "))
            .collect();
        assert_eq!(failed, ["build 6 failed RUN false     > out"], "{format}");
        let error = log.error.expect("an error");
        assert!(
            error.ends_with("did not complete successfully: exit code: 1"),
            "{error}"
        );
    }
}

#[test]
fn both_formats_of_a_build_that_pulls_and_pushes_say_the_same() {
    use cacheplan::cost::overhead::{Overhead, spent};
    let [plain, raw] = ["plain", "rawjson"].map(|format| spent(&log("push", format)));
    let expected = [
        (Overhead::Transfer, Some(12_002_235)),
        (Overhead::Pull, Some(31_144_888)),
        (Overhead::Export, None),
        (Overhead::Push, None),
    ];
    let exact: Vec<_> = raw.iter().map(|s| (s.kind, s.bytes)).collect();
    assert_eq!(exact, expected);
    assert_eq!(plain.len(), raw.len());
    for (plain, raw) in plain.iter().zip(&raw) {
        assert_eq!(plain.kind, raw.kind);
        // Tenths of a second, of two parts.
        assert!(
            (plain.seconds - raw.seconds).abs() <= 0.1,
            "{plain:?} {raw:?}"
        );
        let off = |b: u64| b.abs_diff(raw.bytes.unwrap_or(0));
        assert!(
            plain.bytes.is_none_or(|b| off(b) < 10_000),
            "{plain:?} {raw:?}"
        );
    }
}
