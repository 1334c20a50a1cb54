//! Both formats, on samples of the shapes a real builder prints.

use super::*;

fn shown(log: &Log) -> Vec<String> {
    let line = |s: &LogStep| {
        let seconds = s.seconds.map_or("-".to_owned(), |s| format!("{s:.1}"));
        format!("{} {} {seconds} @{}", s.name, s.seen.as_str(), s.line)
    };
    log.steps.iter().map(line).collect()
}

const PLAIN: &str = r#"#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 210B done
#1 DONE 0.0s

#5 [build 2/4] COPY go.mod ./
#5 CACHED

#6 [build 3/4] RUN go build ./...
#6 0.412 compiling
#6 0.500 CACHED
#6 ...

#7 [internal] load build context
#7 DONE 0.1s

#6 [build 3/4] RUN go build ./...
#6 9.871 DONE 1.0s
#6 DONE 10.2s

#8 [build 4/4] COPY <<EOF /a
/b EOF
#8 ERROR: boom

#9 [stage-1 2/2] COPY --from=build /a /a
#9 CANCELED
------
ERROR: failed to solve: boom
"#;

#[test]
fn plain_output() {
    let log = read(PLAIN).expect("reads");
    assert_eq!(log.format, LogFormat::Plain);
    assert_eq!(
        shown(&log),
        [
            "building with \"default\" instance using docker driver not-started - @1",
            "[internal] load build definition from Dockerfile executed 0.0 @3",
            "[build 2/4] COPY go.mod ./ cached - @7",
            "[build 3/4] RUN go build ./... executed 10.2 @10",
            "[internal] load build context executed 0.1 @15",
            "[build 4/4] COPY <<EOF /a\n/b EOF failed - @22",
            "[stage-1 2/2] COPY --from=build /a /a canceled - @26",
        ]
    );
    assert_eq!(log.error.as_deref(), Some("ERROR: failed to solve: boom"));
}

#[test]
fn a_ci_system_may_stamp_and_colour_the_lines() {
    let stamped: String = PLAIN
        .lines()
        .map(|l| format!("2026-01-02T10:00:00.1234567Z \u{1b}[36m{l}\u{1b}[0m\r\n"))
        .collect();
    // The title that goes on in a second line has colours around both.
    assert_eq!(
        read(&stamped).map(|l| shown(&l)),
        read(PLAIN).map(|l| shown(&l))
    );
}

#[test]
fn the_last_word_on_a_number_counts() {
    let log = read("#3 [1/2] FROM a\n#3 DONE 0.1s\n\n#3 [1/2] FROM a\n#3 CACHED\n").expect("reads");
    assert_eq!(log.steps[0].seen, Seen::Cached);
}

const RAW: &str = r#"client says hello
{"vertexes":[{"digest":"sha256:a1","name":"[2/3] COPY app /app"},{"digest":"sha256:a2","inputs":["sha256:a1"],"name":"[3/3] RUN make"},{"digest":"sha256:a3","name":"[x 1/2] RUN no"}]}
{"statuses":[{"id":"transferring context:","vertex":"sha256:c0","current":4096}]}
{"vertexes":[{"digest":"sha256:a1","name":"[2/3] COPY app /app","started":"2026-01-02T10:00:00.60Z","completed":"2026-01-02T10:00:00.60Z","cached":true}]}
{"vertexes":[{"digest":"sha256:a2","name":"[3/3] RUN make","started":"2026-01-02T10:00:00.70Z"}]}
{"vertexes":[{"digest":"sha256:a2","name":"[3/3] RUN make","started":"2026-01-02T10:00:00.70Z","completed":"2026-01-02T10:00:04.20Z"}]}
{"vertexes":[{"digest":"sha256:a2","name":"[3/3] RUN make","started":"2026-01-02T11:00:03.20+01:00","completed":"2026-01-02T11:00:05.20+01:00","error":"boom"}]}
ERROR: failed to solve
"#;

#[test]
fn raw_output() {
    let log = read(RAW).expect("reads");
    assert_eq!(log.format, LogFormat::RawJson);
    assert_eq!(
        shown(&log),
        [
            "[2/3] COPY app /app cached 0.0 @2",
            // Two stretches that overlap: from 0.7 to 5.2.
            "[3/3] RUN make failed 4.5 @2",
            "[x 1/2] RUN no not-started - @2",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let cut: String =
        RAW.lines().take(4).collect::<Vec<_>>().join("\n") + "\n{\"vertexes\":[{\"dig";
    let log = read(&cut).expect("what stands before it is read");
    assert_eq!(log.notes, ["line 5, the last one, is cut off"]);
    assert_eq!(log.steps.len(), 3);
    let error = read(&(cut + "\n{}\n"))
        .expect_err("in the middle")
        .to_string();
    assert!(
        error.starts_with("line 5: this is no status batch"),
        "{error}"
    );
    let time = RAW.replace("2026-01-02T10:00:00.70Z\"}", "yesterday\"}");
    let error = read(&time).expect_err("no time").to_string();
    assert_eq!(error, "line 5: `yesterday` is no point in time");
    let done = PLAIN.replace("DONE 10.2s", "DONE soon");
    let error = read(&done).expect_err("no seconds").to_string();
    assert_eq!(
        error,
        "line 20: `DONE soon` ends a step, but not with seconds"
    );
    for text in ["", "hello\nworld\n", "{\"a\":1}\n", "# heading\n"] {
        assert_eq!(read(text), Err(LogError::Unknown), "{text}");
    }
    let first = read("{\"vertexes\":[{\"dig")
        .expect_err("is cut off")
        .to_string();
    assert!(first.starts_with("line 1: "), "{first}");
}

#[test]
fn titles_in_parts() {
    let parts = |name: &'static str| title(name).map(|t| (t.stage, t.number, t.text));
    assert_eq!(parts("[2/3] RUN a"), Some(("", 2, "RUN a")));
    assert_eq!(parts("[b 2/3] RUN a"), Some(("b", 2, "RUN a")));
    assert_eq!(parts("[linux/arm64 b 2/3] RUN a"), Some(("b", 2, "RUN a")));
    assert_eq!(parts("[linux/arm64 2/3] RUN a"), Some(("", 2, "RUN a")));
    assert_eq!(parts("[internal] load build context"), None);
    assert_eq!(parts("exporting to image"), None);
}

#[test]
fn steps_are_found_by_place_and_then_by_text() {
    let log = read(PLAIN).expect("reads");
    let line = |name: &str| log.find(name).map(|s| s.line);
    assert_eq!(line("[build 3/4] RUN something else"), Some(10));
    assert_eq!(line("[other 3/4] RUN go build ./..."), Some(10));
    assert_eq!(line("[other 3/4] RUN none"), None);
}

#[test]
fn times_that_nothing_takes_are_no_times() {
    for bad in [
        "#1 [1/1] RUN a\n#1 DONE 1e308s\n",
        "{\"vertexes\":[{\"digest\":\"a\",\"name\":\"[1/1] RUN a\",\"started\":\"2026-01-02T10:00:00+9223372036854775807:00\"}]}\n",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let (least, most) = (i128::MIN, i128::MAX);
    let trace = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"[1/1] RUN a","startTimeUnixNano":"{least}","endTimeUnixNano":"{most}",
        "attributes":[{{"key":"vertex","value":{{"stringValue":"sha256:1"}}}}]}}]}}]}}]}}"#
    );
    let seconds = |s: &LogStep| s.seconds.unwrap_or(0.0) <= MAX_SECONDS;
    assert!(read(&trace).is_ok_and(|log| log.steps.iter().all(seconds)));
}

#[test]
fn a_record_is_no_larger_than_it_says() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_path("index.json").expect("a name");
    header.set_mode(0o644);
    header.set_size(512);
    // Eight gigabytes of nothing, and 512 bytes.
    let real = (8u64 << 30) - 1024;
    if let Some(gnu) = header.as_gnu_mut() {
        let octal = |n: u64| format!("{n:011o}\0").into_bytes();
        gnu.realsize.copy_from_slice(&octal(real));
        gnu.sparse[0].offset.copy_from_slice(&octal(real - 512));
        gnu.sparse[0].numbytes.copy_from_slice(&octal(512));
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend([0; 512 + 1024]);
    let packed = crate::image::made::gzip(&bytes);
    let started = std::time::Instant::now();
    let error = read_file(&packed).expect_err("no record").to_string();
    assert!(error.contains("cut off"), "{error}");
    assert!(started.elapsed().as_secs() < 60);
}
