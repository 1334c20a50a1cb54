//! The output of several builds in one file, as a job of a CI system leaves it.
//!
//! Goes in: the text. Comes out: its parts, one for each build, each with how many lines stand before it. One pass. A build begins where the numbers of
//! `plain` output begin anew, or where `rawjson` announces a vertex that had come to its end. Builds that wrote at the same time cannot be told apart by their
//! numbers: that is for [`super::plain`] to notice.

use super::{plain, rawjson};
use rustc_hash::FxHashMap;

/// What the first lines of every build are about.
const FIRST: [&str; 2] = ["building with ", "[internal] load "];

/// What is known of the build that writes.
#[derive(Default)]
struct Build {
    /// Titles by number, and whether each came to its end.
    numbers: FxHashMap<u32, (String, bool)>,
    /// Digests, and whether each came to its end.
    digests: FxHashMap<String, bool>,
}

impl Build {
    /// Whether a line is the first one of another build; takes note of it otherwise.
    fn ends_before(&mut self, line: &str) -> bool {
        let line = plain::bare(line);
        if line.starts_with('{') {
            return self.announces_anew(&line);
        }
        let Some((n, text)) = plain::number(&line) else {
            return false;
        };
        let Some((title, ended)) = self.numbers.get_mut(&n) else {
            self.numbers.insert(n, (text.to_owned(), false));
            return false;
        };
        if n <= 1 && FIRST.iter().any(|f| text.starts_with(f)) {
            return n == 0 || *ended;
        }
        if *ended && text.starts_with('[') && text != title {
            return true;
        }
        *ended |= text == "CACHED" || text.starts_with("DONE") || text.starts_with("ERROR");
        false
    }

    fn announces_anew(&mut self, line: &str) -> bool {
        let Ok(batch) = serde_json::from_str::<rawjson::Batch>(line) else {
            return false;
        };
        let all = batch.vertexes.unwrap_or_default();
        let anew =
            |v: &rawjson::Vertex| v.started.is_none() && self.digests.get(&v.digest) == Some(&true);
        if all.iter().any(anew) {
            return true;
        }
        for vertex in all {
            *self.digests.entry(vertex.digest).or_default() |= vertex.completed.is_some();
        }
        false
    }
}

/// The parts of a text that single builds wrote.
pub(super) fn parts(text: &str) -> Vec<(usize, &str)> {
    let (mut out, mut start, mut before) = (Vec::new(), 0, 0);
    let (mut build, mut place) = (Build::default(), 0);
    for (n, line) in text.split_inclusive('\n').enumerate() {
        if build.ends_before(line.trim_end_matches(['\n', '\r'])) {
            out.push((before, &text[start..place]));
            (start, before) = (place, n);
            build = Build::default();
            build.ends_before(line.trim_end_matches(['\n', '\r']));
        }
        place += line.len();
    }
    out.push((before, &text[start..]));
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Seen, read_file};

    const ONE: &str = "some words\n#0 building with \"default\" instance\n\n#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\
                       #2 [1/2] RUN a\n#2 DONE 1.0s\n#2 [1/2] RUN a\n#2 CACHED\n";

    fn shown(text: &str) -> Vec<Vec<String>> {
        let logs = read_file(text.as_bytes()).expect("reads");
        let step =
            |s: &super::super::LogStep| format!("{} {} @{}", s.name, s.seen.as_str(), s.line);
        let of = |l: &super::super::Log| {
            l.steps
                .iter()
                .filter(|s| s.seen != Seen::NotStarted)
                .map(step)
                .collect()
        };
        logs.iter().map(of).collect()
    }

    #[test]
    fn builds_one_after_the_other_are_told_apart() {
        let one = [
            "[internal] load build definition from Dockerfile executed @4",
            "[1/2] RUN a cached @6",
        ];
        assert_eq!(shown(ONE), [one]);
        let two = format!("{ONE}more words\n{}", ONE.replace("RUN a", "RUN b"));
        let [first, second] = &shown(&two)[..] else {
            panic!("{two}");
        };
        assert_eq!(first[..], one);
        assert_eq!(second[1], "[1/2] RUN b cached @16");
        // Without the first lines, by the numbers alone.
        let lines = "#2 [1/2] RUN a\n#2 DONE 1.0s\n#2 [x 1/3] RUN b\n#2 DONE 2.0s\n";
        assert_eq!(
            shown(lines),
            [["[1/2] RUN a executed @1"], ["[x 1/3] RUN b executed @3"]]
        );
        let raw = "{\"vertexes\":[{\"digest\":\"a\",\"name\":\"[1/1] RUN a\"}]}\n\
                   {\"vertexes\":[{\"digest\":\"a\",\"name\":\"[1/1] RUN a\",\"started\":\"2026-01-02T10:00:00Z\",\"completed\":\"2026-01-02T10:00:05Z\"}]}\n";
        assert_eq!(shown(raw).len(), 1);
        assert_eq!(shown(&raw.repeat(3)).len(), 3);
    }

    #[test]
    fn a_fault_has_its_line_in_the_file() {
        let text = format!("{ONE}{}", ONE.replace("DONE 1.0s", "DONE soon"));
        let error = read_file(text.as_bytes())
            .expect_err("no seconds")
            .to_string();
        assert!(error.starts_with("line 16: "), "{error}");
    }
}
