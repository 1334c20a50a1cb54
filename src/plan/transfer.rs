//! COPY and ADD: what they take, where they put it, and what of both is in the key (cache keys 3.2,
//! grammar sections 4 and 9.3).

use super::key::{Key, owner_key};
use super::lower::{Lowering, Place};
use super::run::Inputs;
use super::state::State;
use super::{ContextInput, Dest, Input, StepKind, Written, title};
use crate::diagnostic::shorten;
use crate::dockerfile::check::{self, Remote};
use crate::dockerfile::{Flag, Instruction, Kind, Transfer, expand_heredoc};
use crate::footprint::Class;
use crate::pattern::{ExcludeRules, SourcePattern, clean};
use crate::source::Span;

impl Lowering<'_> {
    pub fn transfer(&mut self, place: &Place, ins: Instruction<'_>, t: &Transfer, state: &State) {
        let add = matches!(ins.kind(), Kind::Add(_));
        let sources: Vec<String> = t.sources.iter().map(|s| self.expand(&s, state)).collect();
        let dest = self.expand(&t.dest, state);
        let owner = self.expand_flag(ins, "chown", state);
        let owner = owner.filter(|o| !o.is_empty());
        let mode = self.expand_flag(ins, "chmod", state);
        let mode = mode.filter(|m| !m.is_empty());
        let checksum = self.expand_flag(ins, "checksum", state);
        let excludes = ins
            .flag_values("exclude")
            .filter(|_| self.options.builder.exclude);
        let excludes: Vec<String> = excludes.map(str::to_owned).collect();
        let builder = self.options.builder;
        let is_dir =
            matches!(dest.as_str(), "" | ".") || dest.ends_with('/') || dest.ends_with("/.");
        let resolved = state.resolve(&dest);
        self.flag_values(ins, &sources, state);
        // `--chmod` makes the frontend fall back to a plain COPY (experiments row 85).
        let link = ins.has_flag("link") && mode.is_none() && builder.link;
        let mut key = state.chain_key("file");
        let ending = match dest.as_str() {
            d if d.ends_with("/.") => "/.",
            _ if is_dir => "/",
            _ => "",
        };
        // ADD differs in that it unpacks archives, which `--unpack` may say otherwise.
        let unpack = ins.flag("unpack").and_then(check::truth).unwrap_or(add);
        let (owned, moded) = (
            owner.as_deref().unwrap_or(""),
            mode.as_deref().unwrap_or(""),
        );
        if builder.chained {
            // The comment of the image: keyword, owner and destination as they are written.
            key.text(&ins.keyword.to_uppercase()).text(owned);
            key.text(if builder.unexpanded { &t.dest } else { &dest });
            key.text(moded);
        } else {
            key.text(if unpack { "unpack" } else { "" });
            key.text(&resolved).text(ending);
            key.text(&owner_key(owned)).text(&mode_key(moded));
        }
        key.text(if link { "link" } else { "" }).list(&excludes);
        for flag in ["parents", "keep-git-dir"] {
            if builder.is_classic() {
                break;
            }
            let value = ins.flags().iter().find(|f| f.name() == flag);
            key.text(value.map_or("", |f| f.raw.as_str()));
        }
        key.text(checksum.as_deref().unwrap_or(""));
        if let Err(e) = ExcludeRules::new(&excludes) {
            let flag = ins.flags().iter().find(|f| f.name() == "exclude");
            let span = flag.map_or(ins.keyword_span(), Flag::span);
            self.report("build/source-pattern", e.to_string(), span, PATTERN_HELP);
        }
        let mut inputs = Inputs::default();
        let mut paths = Vec::new();
        for (source, written) in sources.iter().zip(&t.sources) {
            let span = written.span();
            if let Some(kind) = check::remote(source) {
                if !add {
                    self.refuse_remote(kind, source, span);
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
            } else if !builder.chained {
                key.text(SourcePattern::lenient(source).base_name());
            }
            paths.push(source.clone());
        }
        let inline = self.inline_files(ins, t, state, &mut key);
        if !paths.is_empty() {
            match (place.sources.first(), ins.flag("from").unwrap_or("")) {
                (_, "") => inputs.list.push(Input::Context(ContextInput {
                    sources: paths,
                    excludes,
                    literal: false,
                    rule: self.options.builder.content,
                    ..ContextInput::default()
                })),
                (Some(Some(record)), _) => {
                    let flag = ins.flags().iter().find(|f| f.name() == "from");
                    let span = flag.map_or(ins.keyword_span(), Flag::span);
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
        let bodies: Vec<String> = t
            .inline
            .iter()
            .filter_map(|i| ins.heredocs().get(*i))
            .map(|doc| doc.body.clone())
            .collect();
        step.written = Written::default()
            .with_all("source", &sources)
            .with_all("text of a heredoc", &bodies)
            .with("destination", &resolved)
            .with("owner", owner.as_deref().unwrap_or_default())
            .with("mode", mode.as_deref().unwrap_or_default())
            .with_flags(ins);
        step.volatile = key.volatile;
        step.definition = key.finish();
        step.parts.instruction = step.definition;
        step.keyed_by_parent = !link;
        step.inputs = inputs.list;
        step.inline = inline;
        step.parents = ins.has_flag("parents");
        step.classes = vec![Class::Copy];
        let unsure = self.is_unsure(&t.dest, &dest, state);
        step.dest = Some(Dest {
            likely: state.likely(&resolved),
            path: Some(resolved).filter(|p| p.starts_with('/')),
            is_dir,
            is_relative: !dest.starts_with('/') || unsure,
            unsure,
            owner,
            mode,
        });
        self.push(place, step, &inputs.stages);
    }

    /// The last flag of this name, expanded.
    fn expand_flag(&mut self, ins: Instruction<'_>, name: &str, state: &State) -> Option<String> {
        let flag = ins.flags().iter().rev().find(|f| f.name() == name)?;
        Some(self.expand_at(flag.value()?, state, flag.span()))
    }

    /// Heredocs among the sources, by name: their text is in the key.
    fn inline_files(
        &mut self,
        ins: Instruction<'_>,
        t: &Transfer,
        state: &State,
        key: &mut Key,
    ) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for i in t.inline {
            let Some(doc) = ins.heredocs().get(*i) else {
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
            files.push((doc.name.clone(), body));
        }
        files
    }

    fn refuse_remote(&mut self, kind: Remote, source: &str, span: Span) {
        let what = match kind {
            Remote::Git => "git ref",
            Remote::Download => "URL",
        };
        let message = format!("source can't be a {what} for COPY: `{}`", shorten(source));
        self.report("build/copy-remote", message, span, "use ADD for it");
    }

    /// `--chmod` and `--checksum`.
    fn flag_values(&mut self, ins: Instruction<'_>, sources: &[String], state: &State) {
        for flag in ins.flags() {
            let value = flag.value().unwrap_or_default();
            if !matches!(flag.name(), "chmod" | "checksum") {
                continue;
            }
            let value = self
                .certain(value, state, flag.span())
                .filter(|v| !v.is_empty());
            let found = value.and_then(|v| match flag.name() {
                "chmod" => check::chmod(&v),
                _ => check::checksum(&v, sources),
            });
            self.objection("build/bad-flag-value", found, flag.span());
        }
    }
}

/// A mode as it is in the key: octal digits are a number, symbols are text (experiments row 37).
fn mode_key(mode: &str) -> String {
    u32::from_str_radix(mode, 8).map_or_else(|_| mode.to_owned(), |n| format!("{n:o}"))
}

const PATTERN_HELP: &str = "close every `[`, and put a character after every backslash";
