//! COPY and ADD: what they take, where they put it, and what of both is in the key (cache keys 3.2,
//! grammar sections 4 and 9.3).

use super::key::Key;
use super::lower::{Lowering, Place};
use super::run::Inputs;
use super::state::State;
use super::{ContextInput, Dest, Input, StepKind, check, title};
use crate::dockerfile::{Instruction, Kind, Transfer, expand_heredoc};
use crate::footprint::Class;
use crate::pattern::{ExcludeRules, SourcePattern, clean};
use crate::source::Span;

impl Lowering<'_> {
    pub fn transfer(&mut self, place: &Place, ins: &Instruction, t: &Transfer, state: &State) {
        let add = matches!(ins.kind, Kind::Add(_));
        let keyword = if add { "ADD" } else { "COPY" };
        let sources: Vec<String> = t
            .sources
            .iter()
            .map(|s| self.expand(s, state, ins))
            .collect();
        let dest = self.expand(&t.dest, state, ins);
        let owner = ins.flag("chown").map(|v| self.expand(v, state, ins));
        let owner = owner.filter(|o| !o.is_empty());
        let mode = ins.flag("chmod").map(|v| self.expand(v, state, ins));
        let mode = mode.filter(|m| !m.is_empty());
        let checksum = ins.flag("checksum").map(|v| self.expand(v, state, ins));
        let excludes: Vec<String> = ins.flag_values("exclude").map(str::to_owned).collect();
        let is_dir =
            matches!(dest.as_str(), "" | ".") || dest.ends_with('/') || dest.ends_with("/.");
        let resolved = state.resolve(&dest);
        self.check_flags(ins, mode.as_deref(), checksum.as_deref(), &sources);
        // `--chmod` makes the frontend fall back to a plain COPY (experiments row 85).
        let link = ins.has_flag("link") && mode.is_none();
        let mut key = Key::new("file");
        key.text(keyword)
            .text(&resolved)
            .text(if is_dir { "/" } else { "" });
        key.text(owner.as_deref().unwrap_or(""))
            .text(mode.as_deref().unwrap_or(""));
        key.text(if link { "link" } else { "" }).list(&excludes);
        for flag in ["parents", "keep-git-dir", "unpack"] {
            let value = ins.flags.iter().find(|f| f.name == flag);
            key.text(value.map_or("", |f| f.raw.as_str()));
        }
        key.text(checksum.as_deref().unwrap_or(""));
        if let Err(e) = ExcludeRules::new(&excludes) {
            let flag = ins.flags.iter().find(|f| f.name == "exclude");
            let span = flag.map_or(ins.keyword_span, |f| f.span);
            self.report("build/source-pattern", e.to_string(), span, PATTERN_HELP);
        }
        let mut inputs = Inputs::default();
        let mut paths = Vec::new();
        for (source, written) in sources.iter().zip(&t.sources) {
            let span = self.word_span(ins, written);
            if remote(source) != Remote::No {
                if !add {
                    self.refuse_remote(source, span);
                    continue;
                }
                key.text(source);
                inputs.list.push(Input::Remote(source.clone()));
                continue;
            }
            if SourcePattern::new(source).is_err() && ins.flag("from").is_none() {
                let message = format!("syntax error in pattern: \"{source}\"");
                self.report("build/source-pattern", message, span, PATTERN_HELP);
            }
            if ins.has_flag("parents") {
                key.text(&clean(source));
            } else {
                key.text(SourcePattern::lenient(source).base_name());
            }
            paths.push(source.clone());
        }
        self.inline_files(ins, t, state, &mut key);
        if !paths.is_empty() {
            match (place.sources.first(), ins.flag("from").unwrap_or("")) {
                (_, "") => inputs.list.push(Input::Context(ContextInput {
                    sources: paths,
                    excludes,
                })),
                (Some(Some(record)), _) => {
                    let flag = ins.flags.iter().find(|f| f.name == "from");
                    let span = flag.map_or(ins.keyword_span, |f| f.span);
                    let list = paths.clone();
                    self.take(place, record, list, excludes, ("copy", span), &mut inputs);
                    if let Some(Input::Image(_)) = inputs.list.last() {
                        // Files of an image can't be seen: their paths stand for them.
                        key.list(&paths);
                    }
                }
                // An index that leads nowhere, said already.
                _ => {}
            }
        }
        let kind = if add { StepKind::Add } else { StepKind::Copy };
        let title = title::plain(ins, self.escape, state);
        let mut step = self.step(place, ins, kind, &title);
        step.volatile = key.volatile;
        step.definition = key.finish();
        step.parts.instruction = step.definition;
        step.keyed_by_parent = !link;
        step.inputs = inputs.list;
        step.classes = vec![Class::Copy];
        step.dest = Some(Dest {
            path: Some(resolved).filter(|p| p.starts_with('/')),
            is_dir,
            owner,
            mode,
        });
        self.push(place, step, &inputs.stages);
    }

    /// Heredocs among the sources: their text is in the key.
    fn inline_files(&mut self, ins: &Instruction, t: &Transfer, state: &State, key: &mut Key) {
        for i in &t.inline {
            let Some(doc) = ins.heredocs.get(*i) else {
                continue;
            };
            let body = if doc.expand {
                match expand_heredoc(&doc.content(), &|n| state.lookup(n)) {
                    Ok(text) => text,
                    Err(e) => {
                        self.report(
                            "build/expansion",
                            format!("the heredoc {} cannot be expanded: {e}", doc.name),
                            doc.body_span,
                            "quote the heredoc's name to keep its text as it is",
                        );
                        doc.content()
                    }
                }
            } else {
                doc.content()
            };
            key.text("inline").text(&doc.name).text(&body);
        }
    }

    fn refuse_remote(&mut self, source: &str, span: Span) {
        let what = match remote(source) {
            Remote::Git => "git ref",
            _ => "URL",
        };
        let shown = check::shorten(source);
        self.report(
            "build/remote-source",
            format!("source can't be a {what} for COPY: `{shown}`"),
            span,
            "use ADD",
        );
    }

    fn check_flags(
        &mut self,
        ins: &Instruction,
        mode: Option<&str>,
        checksum: Option<&str>,
        sources: &[String],
    ) {
        let span = |name: &str| {
            let flag = ins.flags.iter().find(|f| f.name == name);
            flag.map_or(ins.keyword_span, |f| f.span)
        };
        if let Some(mode) = mode
            && !check::is_mode(mode)
        {
            self.report(
                "build/chmod",
                format!("`{}` is no file mode", check::shorten(mode)),
                span("chmod"),
                "write an octal number up to 07777, or symbols such as u=rwX,go=rX",
            );
        }
        let Some(checksum) = checksum.filter(|c| !c.is_empty()) else {
            return;
        };
        let help = "give one http, https or git source and its checksum";
        let trouble = match sources {
            [one] => match remote(one) {
                Remote::No => "a checksum needs an http, https or git source".to_owned(),
                Remote::Git => return,
                Remote::Http if check::is_digest(checksum) => return,
                Remote::Http => format!("`{}` is no digest", check::shorten(checksum)),
            },
            _ => "a checksum cannot be given for several sources".to_owned(),
        };
        self.report("build/checksum", trouble, span("checksum"), help);
    }
}

const PATTERN_HELP: &str = "close every `[`, and put a character after every backslash";

/// Whether a source is fetched, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    No,
    Http,
    Git,
}

/// Grammar section 9.3: `./` and `../` are local whatever follows, and so is a bare
/// `github.com/owner/name`; an http address is a repository when its path ends in `.git`.
fn remote(source: &str) -> Remote {
    if let Some((scheme, rest)) = source.split_once("://") {
        return match scheme {
            "http" | "https" => {
                let path = rest.split(['#', '?']).next().unwrap_or("");
                let path = path.split_once('/').map_or("", |(_, p)| p);
                if path.ends_with(".git") {
                    Remote::Git
                } else {
                    Remote::Http
                }
            }
            "git" | "ssh" => Remote::Git,
            _ => Remote::No,
        };
    }
    // `user@host:path`, the form ssh itself takes.
    let scp = source.split_once(':').is_some_and(|(host, path)| {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let named = host.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && user.chars().all(fine) && host.chars().all(fine)
        });
        named && !path.is_empty()
    });
    if scp { Remote::Git } else { Remote::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched() {
        for (source, expected) in [
            ("https://example.org/a.tar", Remote::Http),
            ("https://example.org/a.git", Remote::Git),
            ("https://example.org/a.git#v1:sub", Remote::Git),
            ("http://example.org/a.git?x=1", Remote::Git),
            ("https://example.org", Remote::Http),
            ("git://example.org/a", Remote::Git),
            ("ssh://git@example.org/a", Remote::Git),
            ("git@example.org:a/b.git", Remote::Git),
            ("github.com/a/b", Remote::No),
            ("./git@example.org:a", Remote::No),
            ("a:b", Remote::No),
            ("ftp://example.org/a", Remote::No),
        ] {
            assert_eq!(remote(source), expected, "{source}");
        }
    }
}
