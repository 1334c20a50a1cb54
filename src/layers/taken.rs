//! What COPY and ADD bring to the image, path by path.
//!
//! Goes in: a step, the context and what lies in the image already. Comes out: files, links and folders at their places. One look at every
//! entry that is taken. Invariant: what is not known for sure (another image's files, a URL, an archive that is not read) makes the answer
//! incomplete, never a guess.

use super::ground::{Ground, MAX_HELD};
use super::sent::{Sent, What};
use super::unpack::{Member, Unpacked, unpack};
use crate::pattern::{ExcludeRules, IgnoreRules, SourcePattern, clean, display};
use crate::plan::{ContextInput, Dest, Input, Step, StepKind};
use std::collections::BTreeMap;

/// What a file that is brought comes from: equal origins are equal files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An entry of the context, by its number.
    Entry(usize),
    /// A text in the Dockerfile: the step's instruction, and which of its texts.
    Inline(usize, usize),
    /// A member of an archive: the archive's entry, and which member.
    Member(usize, usize),
}

/// Something that comes to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A file.
    File {
        /// What it comes from.
        origin: Origin,
        /// Bytes.
        size: u64,
        /// Another name of a file that this step has brought already: it adds none.
        again: bool,
        /// Digest of its content, where that is known.
        digest: Option<[u8; 32]>,
    },
    /// A symbolic link.
    Link {
        /// What it comes from.
        origin: Origin,
        /// Bytes of its text.
        text: usize,
    },
    /// A folder.
    Folder,
    /// A pipe or a device.
    Other,
}

/// What a step brings.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// By place, in the order in which they come, each with its mode where that is known.
    pub brought: Vec<(String, Brought, Option<u32>)>,
    /// That is not all.
    pub incomplete: bool,
}

/// Where a step puts what it brings, absolute and without a slash at its end; the root is empty. What is relative to a folder that only the base
/// image knows is taken to lie in the root, where most images start.
#[must_use]
pub fn destination(step: &Step, ground: &Ground) -> String {
    let dest = step.dest.as_ref();
    let likely = |d: &Dest| d.likely.as_ref().map(|l| l.path.clone());
    let known = dest.and_then(|d| d.path.clone().or_else(|| likely(d)));
    let path = known.unwrap_or_else(|| {
        let title = crate::cost::log::title(&step.name).and_then(|t| t.instruction());
        let text = title.map_or(step.text.as_str(), |(_, _, text)| text);
        let last = text.split_whitespace().next_back().unwrap_or_default();
        clean(&format!(
            "{}/{}",
            ground.folder,
            last.trim_matches(['"', ']'])
        ))
    });
    path.trim_end_matches('/').to_owned()
}

/// Looks up what a COPY or ADD brings; `ignored` are further lines of the ignore file, and `apart` is a layer that knows of
/// nothing below it.
#[must_use]
pub fn taken(
    step: &Step,
    sent: &Sent<'_>,
    ignored: Option<&IgnoreRules>,
    ground: &Ground,
    apart: bool,
) -> Taken {
    let mut out = Taken::default();
    let room = MAX_HELD.saturating_sub(ground.held());
    let path = destination(step, ground);
    let in_folder = step.dest.as_ref().is_some_and(|d| d.is_dir);
    let to = Destination {
        is_dir: path.is_empty() || in_folder || !apart && ground.is_folder(&path),
        path: &path,
    };
    for (i, (name, content)) in step.inline.iter().enumerate() {
        let place = to.of_file(name);
        let digest = Some(*blake3::hash(content.as_bytes()).as_bytes());
        let file = Brought::File {
            origin: Origin::Inline(step.instruction, i),
            size: content.len() as u64,
            again: false,
            digest,
        };
        out.brought.push((place, file, Some(0o644)));
    }
    for input in &step.inputs {
        match input {
            Input::Context(input) => {
                let mut copy = Copy {
                    sent,
                    ignored,
                    excludes: ExcludeRules::new(&input.excludes).ok(),
                    unpacks: step.kind == StepKind::Add,
                    parents: step.parents,
                    room,
                    out: &mut out,
                };
                copy.input(input, &to);
            }
            Input::Stage {
                stage,
                sources,
                excludes,
                ..
            } if excludes.is_empty() && !step.parents => {
                let most = room.saturating_sub(out.brought.len());
                match ground.of_stage(*stage, sources, to.path, to.is_dir, most) {
                    Some(found) => out.brought.extend(found),
                    None => out.incomplete = true,
                }
            }
            _ => out.incomplete = true,
        }
    }
    out
}

struct Destination<'d> {
    /// Without a slash at its end.
    path: &'d str,
    is_dir: bool,
}

impl Destination<'_> {
    /// Where a file of that name comes to lie.
    fn of_file(&self, name: &str) -> String {
        match self.is_dir {
            true => format!("{}/{}", self.path, name.rsplit('/').next().unwrap_or(name)),
            false => self.path.to_owned(),
        }
    }
}

struct Copy<'c> {
    sent: &'c Sent<'c>,
    ignored: Option<&'c IgnoreRules>,
    excludes: Option<ExcludeRules>,
    /// ADD: archives come as what they hold.
    unpacks: bool,
    parents: bool,
    /// As many entries are held beside those that are there.
    room: usize,
    out: &'c mut Taken,
}

impl Copy<'_> {
    fn input(&mut self, input: &ContextInput, to: &Destination<'_>) {
        for text in &input.sources {
            let source = SourcePattern::lenient(text);
            // Behind `/./` the folders of `--parents` begin.
            let kept = text.rsplit_once("/./").map_or("", |(front, _)| front);
            let kept = SourcePattern::literal(kept).cleaned().len();
            for (named, node) in self.sent.nodes(&source) {
                let parents = match self.parents {
                    true => named.get(kept..).unwrap_or_default().trim_matches('/'),
                    false => "",
                };
                self.node(&named, node, parents, to);
            }
        }
    }

    /// Brings what one source names or one match of it.
    fn node(&mut self, named: &str, node: Option<usize>, parents: &str, to: &Destination<'_>) {
        let what = node.map(|n| &self.sent.entry(n).what);
        match (what, node) {
            (None | Some(What::Folder), _) => {
                let folder = node.map_or("", |n| self.sent.entry(n).path.as_str());
                let path = match parents {
                    "" => to.path.to_owned(),
                    parents => format!("{}/{parents}", to.path),
                };
                let mode = node.and_then(|n| self.sent.entry(n).mode);
                self.out.brought.push((path.clone(), Brought::Folder, mode));
                let all = self.sent.below(folder);
                if self.out.brought.len() + all.len() > self.room {
                    self.out.incomplete = true;
                    return;
                }
                let all: Vec<usize> = all.collect();
                let skip = folder.len() + usize::from(!folder.is_empty());
                self.entries(&all, |entry| {
                    let rest = &entry[skip..];
                    (format!("{path}/{rest}"), rest.to_owned())
                });
            }
            (Some(_), Some(number)) => {
                let place = match parents {
                    "" => to.of_file(named),
                    parents => format!("{}/{parents}", to.path),
                };
                if self.unpacks && self.archive(number, to) {
                    return;
                }
                // Exclude patterns do not speak about what a source names itself.
                self.entries(&[number], |_| (place.clone(), String::new()));
            }
            (Some(_), None) => {}
        }
    }

    /// Brings entries to the places that are said of their paths, along with what exclude patterns are held against.
    fn entries(&mut self, numbers: &[usize], place: impl Fn(&str) -> (String, String)) {
        let sizes = self.sent.sizes(numbers);
        let mut known: BTreeMap<(u64, u64), Origin> = BTreeMap::new();
        for (number, size) in numbers.iter().zip(sizes) {
            let entry = self.sent.entry(*number);
            let (place, rest) = place(&entry.path);
            let excluded = |e: &ExcludeRules| !rest.is_empty() && e.is_excluded(rest.as_bytes());
            let left_out = |rules: &IgnoreRules| rules.is_ignored(entry.path.as_bytes());
            if self.excludes.as_ref().is_some_and(excluded) || self.ignored.is_some_and(left_out) {
                continue;
            }
            let brought = match &entry.what {
                What::Folder => Brought::Folder,
                What::Link(text) => Brought::Link {
                    origin: Origin::Entry(*number),
                    text: text.len(),
                },
                What::Other => Brought::Other,
                What::File => {
                    let own = Origin::Entry(*number);
                    let first = entry.same.map(|same| *known.entry(same).or_insert(own));
                    Brought::File {
                        origin: first.unwrap_or(own),
                        size,
                        again: first.is_some_and(|f| f != own),
                        digest: entry.digest,
                    }
                }
            };
            self.out.brought.push((place, brought, entry.mode));
        }
    }

    /// Whether a file was an archive, whose members are brought.
    fn archive(&mut self, number: usize, to: &Destination<'_>) -> bool {
        let found = match self.sent.open(number) {
            Some(content) => unpack(content),
            // Nobody can look: its name has to do.
            None => match super::unpack::is_named_like_one(&self.sent.entry(number).path) {
                true => Unpacked::NotRead,
                false => Unpacked::NoArchive,
            },
        };
        let members = match found {
            Unpacked::NoArchive => return false,
            Unpacked::NotRead => {
                self.out.incomplete = true;
                return true;
            }
            Unpacked::Members(members) => members,
        };
        if self.out.brought.len() + members.len() > self.room {
            self.out.incomplete = true;
            return true;
        }
        self.out
            .brought
            .push((to.path.to_owned(), Brought::Folder, None));
        for (i, (path, member)) in members.into_iter().enumerate() {
            let place = format!("{}/{}", to.path, display(&path));
            let origin = Origin::Member(number, i);
            let brought = match member {
                Member::File(size) => Brought::File {
                    origin,
                    size,
                    again: false,
                    digest: None,
                },
                Member::Link(text) => Brought::Link { origin, text },
                Member::Folder => Brought::Folder,
                Member::Again | Member::Other => Brought::Other,
            };
            self.out.brought.push((place, brought, None));
        }
        true
    }
}
