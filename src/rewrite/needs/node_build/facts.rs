//! What the text of a file names beyond its own folder: paths with `..`, packages, files beside it.
//!
//! Goes in: bytes. Comes out: [`Facts`], which depend on nothing else, so that they can be kept. One pass over the text.
//! Invariant: a path may be found that is none, never the other way round; what a program puts together at run time from
//! parts that are no text is not found.

use std::collections::BTreeSet;

/// Texts larger than this are not looked into.
pub(super) const MAX_TEXT: usize = 4 << 20;
/// Longest path that is taken for one.
const LONGEST: usize = 300;
/// Texts that are put together to one path.
const MOST_PARTS: usize = 12;

/// What a text names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Paths with `..`, as they are written; what stands before the first `..` is left out where it is no plain text.
    pub(super) climbs: BTreeSet<String>,
    /// Those of them that it imports.
    pub(super) imports: BTreeSet<String>,
    /// Packages that it imports, with what is behind their names.
    pub(super) packages: BTreeSet<String>,
    /// Files that it names with `./`.
    pub(super) beside: BTreeSet<String>,
    /// It looks for a folder above in a way that no path shows.
    pub(super) wanders: bool,
}

impl Facts {
    /// What a text names; `None` for one that is too large to be looked into.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let mut out = Self::default();
        if text.iter().take(8000).any(|b| *b == 0) {
            return Some(out);
        }
        out.climbs(text);
        out.strings(text);
        const WANDERERS: [&str; 13] = [
            "dirname(dirname(",
            "dirname(__dirname",
            "dirname(process.cwd",
            "dirname(import.meta.dirname",
            "find-up",
            "findUp",
            "find-root",
            "find-workspaces",
            "searchForWorkspaceRoot",
            "workspaceRoot",
            "workspace-root",
            "@manypkg/",
            "--show-toplevel",
        ];
        out.wanders = WANDERERS
            .iter()
            .any(|w| memchr::memmem::find(text, w.as_bytes()).is_some());
        Some(out)
    }

    fn climbs(&mut self, text: &[u8]) {
        let mut done = 0;
        for at in memchr::memmem::find_iter(text, b"..") {
            let before = at.checked_sub(1).map(|i| text[i]);
            let behind = text.get(at + 2).copied();
            let starts =
                before.is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'.' && b != b'_');
            let goes_on = behind.is_some_and(|b| b == b'/' || b == b'\\');
            let alone = before.is_none_or(|b| is_end(b) || b == b'/' || b == b'\\')
                && behind.is_none_or(is_end);
            if at < done || !starts || !(goes_on || alone) {
                continue;
            }
            let left = text[..at].iter().rev().take(LONGEST);
            let start = at - left.take_while(|b| !is_end(**b)).count();
            let quote = start
                .checked_sub(1)
                .map(|i| text[i])
                .filter(|b| is_quote(*b));
            let ends = |b: &u8| match quote {
                Some(quote) => *b == quote || *b == b'\n',
                None => is_end(*b),
            };
            let right = text[at..].iter().take(LONGEST);
            let end = at + right.take_while(|b| !ends(b)).count();
            done = end;
            let mut word = plain(&text[start..end]);
            if quote.is_some() && imports(&text[..start - 1]) {
                self.imports.insert(word.clone());
            }
            let mut parts = 0;
            let mut place = end;
            while quote.is_some() && parts < MOST_PARTS {
                let Some((from, to)) = next_string(text, place) else {
                    break;
                };
                // `'..', 'x'` are parts of one path, `'../a', '../b'` are two.
                match is_bare(&word) {
                    true => done = to,
                    false => drop(self.climbs.insert(word.clone())),
                }
                word = format!("{word}/{}", plain(&text[from..to]));
                (place, parts) = (to, parts + 1);
            }
            self.climbs.insert(word);
        }
    }

    fn strings(&mut self, text: &[u8]) {
        let mut at = 0;
        while let Some(found) = memchr::memchr3(b'"', b'\'', b'`', &text[at..]) {
            let start = at + found + 1;
            let quote = text[start - 1];
            at = start;
            let rest = &text[start..text.len().min(start + LONGEST)];
            let Some(length) = rest.iter().position(|b| *b == quote || *b == b'\n') else {
                continue;
            };
            let inner = &rest[..length];
            if rest[length] != quote || inner.is_empty() || !inner.iter().all(|b| is_word(*b)) {
                continue;
            }
            let word = String::from_utf8_lossy(inner).into_owned();
            if word.starts_with("./") {
                self.beside.insert(word);
                continue;
            }
            let named = word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@');
            let scoped = word.starts_with('@') && word.contains('/');
            if named && (scoped || imports(&text[..start - 1])) {
                self.packages.insert(word);
            }
        }
    }
}

/// Whether what stands before a text makes it the name of a package.
fn imports(before: &[u8]) -> bool {
    const WORDS: [&str; 12] = [
        "from",
        "import",
        "require",
        "resolve",
        "@import",
        "@use",
        "@forward",
        "@plugin",
        "@config",
        "@source",
        "@reference",
        "extends\":",
    ];
    let from = before.len().saturating_sub(40);
    let line = String::from_utf8_lossy(&before[from..]);
    let line = line.trim_end();
    let line = line.strip_suffix('(').unwrap_or(line).trim_end();
    WORDS.iter().any(|w| line.ends_with(w))
}

/// Paths that a file of settings or a script names: with a slash, or alone where a name alone is one.
pub(super) fn words(text: &[u8], script: bool) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut at = 0;
    while at < text.len() {
        if at == 0 || text[at - 1] == b'\n' {
            let line = &text[at..];
            let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
            let start = line.trim_ascii_start();
            let comment = [&b"//"[..], b"# ", b"* ", b"/*"]
                .iter()
                .any(|c| start.starts_with(c));
            if comment {
                at += line.len() + 1;
                continue;
            }
        }
        if !is_word(text[at]) {
            at += 1;
            continue;
        }
        let length = text[at..].iter().take_while(|b| is_word(**b)).count();
        let (start, end) = (at, at + length);
        at = end;
        if length > LONGEST {
            continue;
        }
        let quoted = |i: Option<&u8>| i.is_some_and(|b| is_quote(*b));
        let in_quotes = quoted(start.checked_sub(1).map(|i| &text[i])) && quoted(text.get(end));
        let word = String::from_utf8_lossy(&text[start..end]).replace("/**", "/*");
        let address = word.starts_with("//") || text.get(end).is_some_and(|b| *b == b':');
        let names = word.contains('/') || in_quotes || script;
        if names && !address && word.bytes().any(|b| b.is_ascii_alphanumeric()) {
            out.insert(
                word.trim_start_matches("./")
                    .trim_end_matches('.')
                    .to_owned(),
            );
        }
    }
    out
}

/// Whether a script or a file of settings asks git.
pub(super) fn asks_git(text: &[u8]) -> bool {
    const COMMANDS: [&str; 12] = [
        "rev-parse",
        "describe",
        "log",
        "show",
        "status",
        "rev-list",
        "symbolic-ref",
        "ls-files",
        "diff",
        "config",
        "branch",
        "name-rev",
    ];
    memchr::memmem::find_iter(text, b"git").any(|at| {
        let before = at.checked_sub(1).map(|i| text[i]);
        let behind = &text[at + 3..];
        if before == Some(b'.') {
            let folder = at
                .checked_sub(2)
                .is_none_or(|i| is_end(text[i]) || text[i] == b'/');
            return folder && behind.first().is_none_or(|b| is_end(*b) || *b == b'/');
        }
        let word = before.is_none_or(is_end);
        let quoted = before.is_some_and(is_quote) && behind.first().is_some_and(|b| is_quote(*b));
        let starts = |c: &str| {
            let rest = behind
                .strip_prefix(b" ")
                .and_then(|r| r.strip_prefix(c.as_bytes()));
            rest.is_some_and(|r| r.first().is_none_or(|b| !b.is_ascii_alphanumeric()))
        };
        let option = behind.starts_with(b" -");
        word && (quoted || option || COMMANDS.iter().any(|c| starts(c)))
    })
}

/// A path without what is no plain text before its first `..`, and without a query behind it.
fn plain(word: &[u8]) -> String {
    let word = String::from_utf8_lossy(word).replace('\\', "/");
    let word = word.trim_start_matches(['!', '^', '/']);
    let word = word.split(['?', '#']).next().unwrap_or_default();
    let is_climb = |p: &&str| *p == "..";
    let mut before = word.split('/').take_while(|p| !is_climb(p));
    let odd = |p: &str| p.contains(['$', '{', '}', '<', '>', '%', '@', '~', '*']) || p.is_empty();
    if before.any(odd)
        && let Some(at) = word.find("/..")
    {
        return word[at + 1..].to_owned();
    }
    word.trim_end_matches(',').to_owned()
}

/// Whether a path is nothing but `..`.
pub(super) fn is_bare(path: &str) -> bool {
    path.split('/').all(|p| matches!(p, "" | "." | ".."))
}

/// The inside of the text that follows behind a comma.
fn next_string(text: &[u8], quote: usize) -> Option<(usize, usize)> {
    let skip = |at: usize| {
        at + text[at..]
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count()
    };
    let comma = skip(quote + 1);
    (*text.get(comma)? == b',').then_some(())?;
    let open = skip(comma + 1);
    let own = text.get(open).copied().filter(|b| is_quote(*b))?;
    let inner = text[open + 1..].iter().take(LONGEST);
    let length = inner.take_while(|b| **b != own && **b != b'\n').count();
    Some((open + 1, open + 1 + length))
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || is_quote(byte) || b"(),;=|&:<>[]".contains(&byte)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./-@+*".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{Facts, asks_git, words};

    fn climbs(text: &str) -> String {
        let facts = Facts::of(text.as_bytes()).unwrap();
        facts.climbs.into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn paths_that_climb_are_found() {
        for (text, expected) in [
            ("import x from '../../a/b'", "../../a/b"),
            ("import x from \"../(app)/[id]/page\"", "../(app)/[id]/page"),
            ("join(__dirname, '..', '..', 'openapi')", "../../openapi"),
            ("join(__dirname, '..', name)", ".."),
            ("['../a', '../b']", "../a ../a/../b ../b"),
            ("`${dir}/../x/y.js`", "../x/y.js"),
            ("'<rootDir>/../commons/'", "../commons/"),
            ("cp -r ../docs/* out", "../docs/*"),
            (
                "content: ['!../../packages/**/*.ts']",
                "../../packages/**/*.ts",
            ),
            ("@source '../ui';", "../ui"),
            ("url(../fonts/a.woff?x)", "../fonts/a.woff"),
            ("--out=../dist --x", "../dist"),
            ("a ..b c.. ... 1..2 {...x} wait..", ""),
            ("src/../../x", "src/../../x"),
            ("..\\x\\y", "../x/y"),
            ("/../x", "../x"),
        ] {
            assert_eq!(climbs(text), expected, "{text}");
        }
    }

    #[test]
    fn packages_and_wanderers_are_found() {
        let text = "import a from 'a/b'; require(\"c\"); t('email'); const x = \"@s/y/z\"; import('./own'); @plugin 'p';";
        let facts = Facts::of(text.as_bytes()).unwrap();
        let list = |set: &std::collections::BTreeSet<String>| {
            set.iter().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(list(&facts.packages), "@s/y/z a/b c p");
        assert_eq!(list(&facts.beside), "./own");
        assert!(!facts.wanders);
        assert!(Facts::of(b"path.dirname(dirname(x))").unwrap().wanders);
        assert!(Facts::of(&vec![b' '; super::MAX_TEXT + 1]).is_none());
        assert_eq!(Facts::of(b"'../x'\0"), Some(Facts::default()));
    }

    #[test]
    fn git_is_told_from_what_is_called_alike() {
        for (text, asks) in [
            ("git rev-parse HEAD", true),
            ("$(git describe --tags)", true),
            ("execSync(`git log -1`)", true),
            ("execa('git', ['rev-parse'])", true),
            ("git -C .. log", true),
            ("read('.git/HEAD')", true),
            ("join(root, '.git')", true),
            ("\"url\": \"git+https://e.org/x.git\"", false),
            ("https://e.org/x.git", false),
            (".gitignore .github/x", false),
            ("legit log, digit", false),
            ("see git for more", false),
        ] {
            assert_eq!(asks_git(text.as_bytes()), asks, "{text}");
        }
    }

    #[test]
    fn words_are_paths() {
        let found = |text: &str, script| {
            let all = words(text.as_bytes(), script);
            all.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            found("x: ['docs', docs, './a/b', https://e.org/c]", false),
            "a/b docs"
        );
        assert_eq!(found("cp docs out", true), "cp docs out");
        assert_eq!(found("# see docs\n  // 'docs'\n * a/b\n'x/y'", true), "x/y");
    }
}
