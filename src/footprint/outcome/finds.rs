//! `find` that takes files away: which ones, as rules that a tree of files can be held against.
//!
//! Goes in: a script. Comes out: one [`Pruning`] per `find`. Only words without anything a shell would expand are
//! understood, and only tests of name, kind and emptiness; for all else there is no answer. Source: POSIX `find`, and what
//! GNU and BusyBox add to it.

use crate::pattern::wild;

/// One `find` with one action at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pruning {
    /// Where it starts, absolute.
    pub folder: String,
    /// The start as it is written.
    pub start: String,
    /// Levels below the start that count, the start itself being 0.
    pub depth: (usize, usize),
    /// What is taken away.
    pub test: Test,
    /// How.
    pub action: Action,
}

/// What happens to what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `-delete`: what is below comes first, and a folder has to be empty.
    Delete,
    /// `-exec rm -rf {} +`: with all that is below.
    RemoveTree,
    /// `-exec rm -f {} +`: files and links.
    RemoveFile,
    /// `-depth … -exec rmdir {} \;`: folders, which have to be empty by then.
    RemoveFolder,
    /// `-exec truncate -s 0 {} +`: files stay, with nothing in them.
    Empty,
}

/// A condition on one path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// All of them.
    All(Vec<Test>),
    /// One of them.
    Any(Vec<Test>),
    /// Not this.
    Not(Box<Test>),
    /// `-name`: a name with `*` and `?`.
    Name(String),
    /// `-path`: the whole path, the start as written in front, with `*` and `?`, which take slashes as well.
    Path(String),
    /// `-type f`.
    File,
    /// `-type d`.
    Folder,
    /// `-type l`.
    Link,
    /// `-empty`.
    Empty,
}

/// What a path is, for [`Test::holds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// Something of which only the outside is known: a submodule.
    Unknown,
}

impl Test {
    /// Whether it asks for emptiness anywhere.
    #[must_use]
    pub fn asks_for_emptiness(&self) -> bool {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().any(Self::asks_for_emptiness),
            Self::Not(one) => one.asks_for_emptiness(),
            Self::Empty => true,
            Self::Name(_) | Self::Path(_) | Self::File | Self::Folder | Self::Link => false,
        }
    }

    /// Whether a path, the start as written in front, is found; `None` where it asks for what is not known.
    pub fn holds(
        &self,
        path: &[u8],
        what: What,
        is_empty: &dyn Fn() -> Option<bool>,
    ) -> Option<bool> {
        let is = |kind: What| (what != What::Unknown).then_some(what == kind);
        Some(match self {
            Self::All(list) => {
                for one in list {
                    if !one.holds(path, what, is_empty)? {
                        return Some(false);
                    }
                }
                true
            }
            Self::Any(list) => {
                for one in list {
                    if one.holds(path, what, is_empty)? {
                        return Some(true);
                    }
                }
                false
            }
            Self::Not(one) => !one.holds(path, what, is_empty)?,
            Self::Name(pattern) => {
                let name = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
                wild(pattern.as_bytes(), name)
            }
            Self::Path(pattern) => wild(pattern.as_bytes(), path),
            Self::File => is(What::File)?,
            Self::Link => is(What::Link)?,
            Self::Folder => is(What::Folder)?,
            Self::Empty => return is_empty(),
        })
    }
}

impl Pruning {
    /// What `find` calls a path below its start.
    #[must_use]
    pub fn path_of(&self, relative: &[u8]) -> Vec<u8> {
        let mut path = self.start.clone().into_bytes();
        if !relative.is_empty() {
            path.push(b'/');
            path.extend_from_slice(relative);
        }
        path
    }

    /// Whether it takes away, or empties, a file or link `relative` to its start; `None` where that is not known.
    #[must_use]
    pub fn takes(&self, relative: &str, what: What) -> Option<bool> {
        let parts: Vec<&str> = relative.split('/').collect();
        let found = |depth: usize, what: What| {
            let path = self.path_of(parts.get(..depth)?.join("/").as_bytes());
            let in_range = self.depth.0 <= depth && depth <= self.depth.1;
            match in_range {
                true => self.test.holds(&path, what, &|| None),
                false => Some(false),
            }
        };
        match self.action {
            Action::Delete | Action::RemoveFile | Action::RemoveFolder | Action::Empty => {
                found(parts.len(), what)
            }
            Action::RemoveTree => {
                let mut gone = found(parts.len(), what)?;
                for depth in 0..parts.len() {
                    gone |= found(depth, What::Folder)?;
                }
                Some(gone)
            }
        }
    }
}

/// The `find`s of a script that consists of nothing else, each running where the one before has not failed.
pub fn prunings(script: &str, cwd: &str) -> Option<Vec<Pruning>> {
    let words = words(script)?;
    let commands: Vec<&[Word]> = words.split(|w| *w == Word::And).collect();
    commands.into_iter().map(|c| one(c, cwd)).collect()
}

/// Whether it does what it says for a user that may not change every folder: all else fails where something stays,
/// `-exec … \;` does not tell.
pub fn suit_any_user(prunings: &[Pruning]) -> bool {
    prunings.iter().all(|p| p.action != Action::RemoveFolder)
}

/// The `find` that an exec form runs.
pub fn pruning(argv: &[String], cwd: &str) -> Option<Vec<Pruning>> {
    let words: Vec<Word> = argv.iter().cloned().map(Word::Text).collect();
    one(&words, cwd).map(|p| vec![p])
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    And,
    Text(String),
}

/// The words of a script that a shell would take as they are; `None` where it would do anything else.
fn words(script: &str) -> Option<Vec<Word>> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = script.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'\n') => {
                chars.next();
            }
            ' ' | '\t' => out.extend(word.take().map(Word::Text)),
            '&' if chars.peek() == Some(&'&') => {
                chars.next();
                out.extend(word.take().map(Word::Text));
                out.push(Word::And);
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '$' | '`' | '\\' | '!' => return None,
                        c => word.push(c),
                    }
                }
            }
            '{' if word.is_none() && chars.peek() == Some(&'}') => {
                chars.next();
                word = Some("{}".to_owned());
            }
            c if c.is_ascii_alphanumeric() || "._/+,:=@%!-".contains(c) => {
                word.get_or_insert_default().push(c);
            }
            _ => return None,
        }
    }
    out.extend(word.map(Word::Text));
    Some(out)
}

fn one(command: &[Word], cwd: &str) -> Option<Pruning> {
    let text = |w: &Word| match w {
        Word::Text(text) => Some(text.clone()),
        Word::And => None,
    };
    let words: Vec<String> = command.iter().map(text).collect::<Option<_>>()?;
    let mut rest = words.iter().map(String::as_str).peekable();
    if rest.next()? != "find" {
        return None;
    }
    let begins = |w: &str| w.starts_with('-') || matches!(w, "!" | "(");
    let start = match rest.peek() {
        Some(w) if !begins(w) => rest.next()?,
        _ => ".",
    };
    let mut left: Vec<&str> = rest.collect();
    let action = if left.last() == Some(&"-delete") {
        left.pop();
        Action::Delete
    } else {
        let at = left.iter().position(|w| *w == "-exec")?;
        let exec = left.split_off(at);
        match exec.as_slice() {
            ["-exec", "rm", "-rf" | "-fr", "{}", "+"] => Action::RemoveTree,
            ["-exec", "rmdir", "{}", ";"] => Action::RemoveFolder,
            ["-exec", "truncate", "-s", "0", "{}", "+"] => Action::Empty,
            ["-exec", "rm", "-f", "{}", "+"] | ["-exec", "rm", "{}", "+"] => Action::RemoveFile,
            _ => return None,
        }
    };
    // With this, what is below comes first; `-delete` brings it along.
    let mut is_deep = false;
    while let Some(at) = option(&left, "-depth")? {
        is_deep = true;
        left.remove(at);
    }
    let mut depth = (0, usize::MAX);
    for (name, most) in [("-mindepth", false), ("-maxdepth", true)] {
        while let Some(at) = option(&left, name)? {
            let value = left.get(at + 1)?.parse().ok()?;
            match most {
                true => depth.1 = value,
                false => depth.0 = value,
            }
            left.drain(at..at + 2);
        }
    }
    let mut left = left.into_iter().peekable();
    let test = acts(&mut left)?;
    let joined = match start.starts_with('/') {
        true => start.to_owned(),
        false => format!("{cwd}/{start}"),
    };
    // What the start is called where it ends with a slash differs between builds of find.
    let named = !start.ends_with('/') && !start.split('/').any(|p| p == "..");
    let steady = match action {
        Action::Delete => true,
        // Each goes before the one above it is looked at.
        Action::RemoveFolder => is_deep,
        // All are found before the first goes.
        Action::RemoveTree | Action::RemoveFile | Action::Empty => {
            !is_deep && !test.asks_for_emptiness()
        }
    };
    (left.peek().is_none() && named && steady).then(|| Pruning {
        folder: crate::pattern::clean(&joined),
        start: start.to_owned(),
        depth,
        test,
        action,
    })
}

/// Where an option stands that holds for the whole `find`; `None` where it stands for something else, or is negated.
fn option(words: &[&str], name: &str) -> Option<Option<usize>> {
    let at = words.iter().position(|w| *w == name);
    let before = at.and_then(|at| at.checked_sub(1)).map(|at| words[at]);
    let plain = !before.is_some_and(|w| matches!(w, "!" | "-not" | "-name" | "-path" | "-type"));
    plain.then_some(at)
}

type Tests<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

/// On what an action at the end acts: it belongs to the last of what `-o` parts, and that is looked at where none before it
/// holds.
fn acts(words: &mut Tests<'_>) -> Option<Test> {
    let mut list = Vec::new();
    let mut last = all(words)?;
    while words.next_if(|w| matches!(*w, "-o" | "-or")).is_some() {
        let next = all(words)?;
        list.push(Test::Not(Box::new(std::mem::replace(&mut last, next))));
    }
    list.push(last);
    Some(single(list, Test::All))
}

fn any(words: &mut Tests<'_>) -> Option<Test> {
    let mut list = vec![all(words)?];
    while words.next_if(|w| matches!(*w, "-o" | "-or")).is_some() {
        list.push(all(words)?);
    }
    Some(single(list, Test::Any))
}

fn all(words: &mut Tests<'_>) -> Option<Test> {
    let mut list = Vec::new();
    while let Some(word) = words.peek() {
        match *word {
            "-o" | "-or" | ")" => break,
            "-a" | "-and" => {
                words.next();
            }
            _ => list.push(not(words)?),
        }
    }
    Some(single(list, Test::All))
}

fn not(words: &mut Tests<'_>) -> Option<Test> {
    Some(match words.next()? {
        "!" | "-not" => Test::Not(Box::new(not(words)?)),
        "(" => {
            let inner = any(words)?;
            words.next_if_eq(&")")?;
            inner
        }
        "-empty" => Test::Empty,
        "-type" => match words.next()? {
            "f" => Test::File,
            "d" => Test::Folder,
            "l" => Test::Link,
            _ => return None,
        },
        "-name" => {
            let name = words.next()?;
            // Lists of characters and escapes have corners of their own.
            (!name.contains(['[', '\\', '/'])).then(|| Test::Name(name.to_owned()))?
        }
        "-path" => {
            let path = words.next()?;
            (!path.contains(['[', '\\'])).then(|| Test::Path(path.to_owned()))?
        }
        _ => return None,
    })
}

/// A list of one is that one.
fn single(mut list: Vec<Test>, of: fn(Vec<Test>) -> Test) -> Test {
    match list.pop() {
        Some(one) if list.is_empty() => one,
        Some(last) => {
            list.push(last);
            of(list)
        }
        None => of(list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_of_a_tree() {
        let takes = |script: &str, path: &str| {
            let list = prunings(script, "/app").expect(script);
            list.iter().any(|p| p.takes(path, What::File) == Some(true))
        };
        let manifests = "find . ! -type d ! -name Cargo.toml ! -path './.cargo/*' -delete";
        assert!(!takes(manifests, "a/b/Cargo.toml") && !takes(manifests, ".cargo/x/config"));
        assert!(takes(manifests, "a/.cargo/config") && takes(manifests, "Cargo.tomls"));
        let backstage =
            "find packages ! -name package.json -mindepth 2 -maxdepth 2 -exec rm -rf {} +";
        assert!(!takes(backstage, "a/package.json") && takes(backstage, "a/src/package.json"));
        assert!(!takes(backstage, "a") && takes(backstage, "a/b"));
        // The action belongs to what stands behind the last -o.
        let either = "find . -name '*.md' -o -name '*.js' -o ! -name '*.a' ! -name b.md -delete";
        assert!(!takes(either, "a.md") && !takes(either, "a.js") && !takes(either, "b.md"));
        assert!(takes(either, "a.c") && !takes(either, "c.a"));
        let both = "find . \\( -name '*.md' -o -name '*.js' \\) -delete";
        assert!(takes(both, "a.md") && takes(both, "a.js") && !takes(both, "a.c"));
    }

    #[test]
    fn what_is_understood_and_what_is_not() {
        let of = |s: &str| prunings(s, "/app");
        let found = of(
            "find packages \\! -name \"package.json\" -mindepth 2 -maxdepth 2 -exec rm -rf {} \\+",
        )
        .unwrap();
        assert_eq!(
            found,
            [Pruning {
                folder: "/app/packages".into(),
                start: "packages".into(),
                depth: (2, 2),
                test: Test::Not(Box::new(Test::Name("package.json".into()))),
                action: Action::RemoveTree,
            }]
        );
        let two = of("find . -type f ! \\( -name '*.toml' -o -name Cargo.lock \\) -delete && \\\n find . -mindepth 1 -type d -empty -delete").unwrap();
        assert_eq!(two.len(), 2);
        assert_eq!(
            (two[0].folder.as_str(), two[1].depth),
            ("/app", (1, usize::MAX))
        );
        assert!(two[1].test.asks_for_emptiness() && !two[0].test.asks_for_emptiness());
        let [one] = of("find . -mindepth 1 -depth -type d -empty -exec rmdir {} \\;")
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!((one.action, one.depth.0), (Action::RemoveFolder, 1));
        for other in [
            "find . -delete; true",
            "find . -name $X -delete",
            "find . -name *.md -delete",
            "find . -mtime 1 -delete",
            "find . -name a -delete -o -name b",
            "find . -name a -exec rm {} \\;",
            "find . -name a -print",
            "find a b -delete",
            "find .. -delete",
            "find a/ -delete",
            "find . \\( -name a -delete",
            "find . -name '[ab]' -delete",
            "find . -delete || true",
            "rm -rf x",
            "find . -delete && ls",
            "find . ! -maxdepth 1 -name a -delete",
            "find . -not -depth -name a -exec rm -f {} +",
            "find . -name -mindepth 1 -delete",
            "find . -type d -empty -exec rm -rf {} +",
            "find . -type d -empty -exec rmdir {} \\;",
            "find . -depth -name a -exec rm -rf {} +",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
