//! The rules over one text, with nothing around it: what editors ask while somebody types.

use super::settings::Settings;
use super::{ContextFiles, Finding, Parts, Project, ProjectFile, View, of_dockerfile};
use crate::diagnostic::Diagnostic;
use crate::dockerfile::parse;
use crate::pattern::IgnoreRules;
use crate::plan::{BuildOptions, lower};
use crate::project::MemoryFiles;
use crate::source::SourceFile;

/// What is found in one Dockerfile whose context nobody knows, sorted by place, and what the builder would say of it.
#[must_use]
pub fn of_text(source: &SourceFile) -> (Vec<Finding>, Vec<Diagnostic>) {
    of_text_with(source, &BuildOptions::default(), None)
}

/// The same for a build that is told something, with an ignore file beside it.
#[must_use]
pub fn of_text_with(
    source: &SourceFile,
    options: &BuildOptions,
    ignore_file: Option<&SourceFile>,
) -> (Vec<Finding>, Vec<Diagnostic>) {
    let parsed = parse(source);
    let plan = lower(&parsed.tree, options);
    let settings = Settings::default();
    let files = MemoryFiles::default();
    let ignored = ignore_file.map_or_else(IgnoreRules::empty, |f| IgnoreRules::parse(f).0);
    let project = Project {
        files: &files,
        dockerfiles: vec![ProjectFile {
            path: source.name(),
            source,
            tree: &parsed.tree,
        }],
        git: None,
        settings: &settings,
        ci: std::cell::OnceCell::new(),
    };
    let view = View::new(Parts {
        path: source.name(),
        source,
        tree: &parsed.tree,
        plan: &plan,
        options,
        context: ContextFiles {
            dir: ".",
            rules: &ignored,
            ignore_file,
            list: &|| None,
            layers: &|| None,
            waiting: &Vec::new,
            folds: &Vec::new,
            disk: None,
        },
        project: &project,
        settings: &settings,
    });
    let findings = of_dockerfile(&view);
    let mut said = parsed.diagnostics.clone();
    said.extend(plan.diagnostics.iter().cloned());
    (findings, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::Safety;
    use crate::rules::{apply, choose};
    use proptest::prelude::*;

    /// Lines that rules look at, whole and in pieces.
    fn line() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "FROM debian:12",
            "FROM node AS build",
            "RUN",
            "RUN apt-get update &&",
            "apt-get install -y curl",
            "\\",
            "&&",
            "||",
            "|",
            ";",
            "&",
            "COPY . .",
            "COPY --from=build /a /b",
            "ADD https://x.org/a.tgz /",
            "ARG GIT_SHA",
            "ENV A=1",
            "WORKDIR /app",
            "CMD",
            "ENTRYPOINT",
            "npm ci",
            "pip install x",
            "rm -rf /var/lib/apt/lists/*",
            "rm",
            "a.tgz",
            "wget -q https://x.org/a.tgz",
            "curl -fsSL",
            "-o",
            "tar xzf",
            "cd /x",
            "<<EOF",
            "EOF",
            "[\"sh\", \"-c\", \"x\"]",
            "$A",
            "${A:-b}",
            "'",
            "\"",
            "# hadolint ignore=DL3008",
            "# cacheplan ignore=base-tag",
            "# check=skip=all",
            "chown -R a:b /app",
            "apk add",
            "--no-cache",
            "sudo",
            "é",
            "\u{202e}",
            "\t",
            "{",
            "}",
            "if true; then",
            "fi",
            "`",
            "$(",
            ")",
            "--mount=type=cache,target=/x",
            "USER a",
            "VOLUME /d",
            "SHELL [\"powershell\"]",
            "ONBUILD RUN make",
            "HEALTHCHECK NONE",
            "EXPOSE 80/TCP",
            "MAINTAINER x",
            "LABEL a=b",
            "service x start",
        ]);
        prop::collection::vec(words, 0..8).prop_map(|w| w.join(" "))
    }

    #[test]
    fn places_in_bytes_that_are_no_text_are_the_file_s() {
        let bytes = b"FROM a\nRUN wget \xff \\\n  \xfe RUN x \\\n  RUN \xff  \xff";
        let source = SourceFile::new("Dockerfile", bytes.to_vec());
        let (findings, _) = of_text(&source);
        let found = findings
            .iter()
            .find(|f| f.rule.name == "swallowed-instruction");
        let found = found.expect("the last line starts with RUN");
        assert_eq!(&bytes[found.span.range()], b"RUN \xff  \xff");
        assert!(
            found.fix.is_none(),
            "its bytes would not come back the same"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn any_text_is_judged_and_its_fixes_fit(lines in prop::collection::vec(line(), 0..16), end in prop::sample::select(vec!["\n", "\r\n"])) {
            let text = lines.join(end);
            let source = SourceFile::new("Dockerfile", text.clone().into_bytes());
            let (findings, _) = of_text(&source);
            for f in &findings {
                prop_assert!(f.file.is_some() || f.span.end as usize <= text.len() && f.span.start <= f.span.end, "{f:?}");
                if let Some(fix) = &f.fix {
                    prop_assert!(!fix.edits.is_empty(), "{f:?}");
                    let new = apply(source.bytes(), &[f], None);
                    prop_assert!(new.is_ok(), "{f:?}");
                }
            }
            for class in [Safety::Proven, Safety::Assumed, Safety::Review] {
                let new = apply(source.bytes(), &choose(&findings, class), None).expect("chosen ones do not overlap");
                // What was text stays text.
                prop_assert!(String::from_utf8(new).is_ok());
            }
        }
    }
}
