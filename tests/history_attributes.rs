//! `.gitattributes` over a history: the ids in the change log against the bytes of real checkouts.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;

use cacheplan::history::{
    ChangeLog, Entry, Limit, Oid, Repository, Unread, Walk, WalkMode, change_log,
};
use git::Repo;
use std::collections::BTreeMap;
use std::path::Path;

type Files = BTreeMap<String, Vec<u8>>;

/// Commits of whole trees, blobs stored byte by byte: `git add` would convert them.
fn import(repo: &Repo, commits: &[Files]) {
    let mut stream = Vec::new();
    for (n, files) in commits.iter().enumerate() {
        let head = format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 1\nx\ndeleteall\n",
            1_600_000_000 + n
        );
        stream.extend(head.into_bytes());
        for (path, bytes) in files {
            let head = format!("M 100644 inline \"{path}\"\ndata {}\n", bytes.len());
            stream.extend(head.into_bytes());
            stream.extend(bytes);
            stream.push(b'\n');
        }
    }
    repo.import(&stream);
}

fn log(repo: &Repo, prefixes: &[&str]) -> ChangeLog {
    let repository = Repository::discover(&repo.root).expect("a repository");
    let walk = Walk {
        tip: repository.head().expect("a commit"),
        limit: Limit::Count(100),
        mode: WalkMode::FirstParent,
        prefixes: prefixes.iter().map(|p| p.as_bytes().to_vec()).collect(),
    };
    change_log(&repository, &walk).expect("readable")
}

/// The ids of every build, oldest first; changes must follow from one another.
fn states(log: &ChangeLog) -> Vec<BTreeMap<String, Oid>> {
    let mut now: BTreeMap<String, Entry> = BTreeMap::new();
    let mut out = Vec::new();
    for build in 0..log.len() {
        for change in log.changes(build) {
            assert_ne!(change.old, change.new, "a change that changes nothing");
            let path = String::from_utf8(log.paths.bytes(change.path)).expect("text");
            assert_eq!(now.get(&path).copied(), change.old, "build {build}: {path}");
            match change.new {
                Some(entry) => now.insert(path, entry),
                None => now.remove(&path),
            };
        }
        out.push(now.iter().map(|(p, e)| (p.clone(), e.oid)).collect());
    }
    out
}

/// The bytes of every file as git writes them into an empty work tree.
fn checked_out(repo: &Repo, commit: &str) -> Files {
    let folder = tempfile::tempdir().expect("a folder");
    repo.check_out(commit, folder.path());
    let mut files = Files::new();
    read_all(folder.path(), folder.path(), &mut files);
    files
}

fn read_all(root: &Path, dir: &Path, files: &mut Files) {
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read_all(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below").to_string_lossy();
            files.insert(name.into_owned(), std::fs::read(&path).expect("readable"));
        }
    }
}

/// Compares ids with bytes over all builds; returns how many files differ from their blobs.
fn compare(repo: &Repo, commits: &[Files], label: &str, both_ways: bool) -> usize {
    let states = states(&log(repo, &[]));
    let ids = repo.git(["rev-list", "--reverse", "main"]);
    let ids = String::from_utf8(ids).expect("hex");
    let mut bytes_of: BTreeMap<Oid, Vec<u8>> = BTreeMap::new();
    let mut id_of: BTreeMap<Vec<u8>, Oid> = BTreeMap::new();
    let mut converted = 0;
    for ((state, commit), blobs) in states.iter().zip(ids.lines()).zip(commits) {
        let files = checked_out(repo, commit);
        assert_eq!(
            state.keys().collect::<Vec<_>>(),
            files.keys().collect::<Vec<_>>(),
            "{label}: {commit}"
        );
        one_commit(repo, commit, &files, label, both_ways);
        for (path, bytes) in files {
            let id = state[&path];
            converted += usize::from(blobs[&path] != bytes);
            let known = bytes_of.entry(id).or_insert_with(|| bytes.clone());
            assert_eq!(
                *known, bytes,
                "{label}: {commit} {path}: one id, other bytes"
            );
            if both_ways {
                let known = id_of.entry(bytes).or_insert(id);
                assert_eq!(*known, id, "{label}: {commit} {path}: equal bytes, two ids");
            }
        }
    }
    converted
}

/// Bytes and sizes of one commit's files, read without the log.
fn one_commit(repo: &Repo, commit: &str, files: &Files, label: &str, exact: bool) {
    let repository = Repository::discover(&repo.root).expect("a repository");
    let commit = repository.resolve(commit).expect("a commit");
    let list = repository.list(commit, b"").expect("readable");
    let bytes = repository.map_checked_out(commit, &list, <[u8]>::to_vec);
    let sizes = repository.sizes_checked_out(commit, &list);
    let (bytes, sizes) = (bytes.expect("readable"), sizes.expect("readable"));
    for (((path, _), bytes), size) in list.iter().zip(bytes).zip(sizes) {
        let path = String::from_utf8_lossy(path);
        let real = &files[path.as_ref()];
        match bytes {
            Some(bytes) => assert_eq!(
                (&bytes, size),
                (real, Some(real.len() as u64)),
                "{label}: {path}"
            ),
            None => assert!(!exact, "{label}: {path} has no bytes"),
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from((self.0 >> 33) % n as u64).expect("below n")
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const PATHS: [&str; 9] = [
    "a.txt",
    "b.txt",
    "c.bat",
    "sub/a.txt",
    "sub/deep/b.txt",
    "sub/deep/c.bat",
    "x y.txt",
    "other/a.txt",
    "other/sub/a.txt",
];

fn attribute_line(random: &mut Random, encodings: bool) -> String {
    let pattern = random.pick(&[
        "*",
        "*.txt",
        "*.bat",
        "/a.txt",
        "a.txt",
        "sub/*.txt",
        "sub/**",
        "**/deep/*",
        "[ab].txt",
        "?.*",
        "\"x y.txt\"",
        "\"\\141.txt\"",
        "sub/",
        "sub",
        "deep/*",
        "/deep/c.bat",
        "!a.txt",
        "[attr]win",
        "[attr]binary",
        "[attr]twice",
        "# no",
        "other/**/a.txt",
        "\\a.txt",
        "a.tx",
        "**",
    ]);
    let mut line = String::from(random.pick(&["", "", "", " ", "\t"])) + pattern;
    for _ in 0..1 + random.below(3) {
        let state = random.pick(&[
            "text",
            "-text",
            "!text",
            "text=auto",
            "eol=crlf",
            "eol=crlf",
            "eol=crlf",
            "eol=lf",
            "crlf",
            "-crlf",
            "crlf=input",
            "ident",
            "-ident",
            "!ident",
            "win",
            "win",
            "-win",
            "!win",
            "binary",
            "twice",
            "!eol",
            "-eol",
            "text=input",
            "text=odd",
            "filter=none",
            "export-ignore",
            "diff=x",
            "-",
            "builtin_x",
            "bad/name",
            "=x",
        ]);
        let encoding = [
            "working-tree-encoding=UTF-16LE",
            "working-tree-encoding=latin1",
            "working-tree-encoding=utf-8",
            "working-tree-encoding=UTF-16",
            "-text",
            "!working-tree-encoding",
        ];
        let state = match encodings && random.below(3) == 0 {
            true => random.pick(&encoding),
            false => state,
        };
        line += random.pick(&[" ", "  ", "\t"]);
        line += state;
    }
    line + random.pick(&["\n", "\n", "\r\n", " \n"])
}

fn content(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(5) {
        bytes.extend_from_slice(
            random
                .pick(&[
                    "line\n",
                    "line\n",
                    "\r\n",
                    "\n",
                    "$Id$\n",
                    "x $Id: old $ y\n",
                    "$Id: a b c $",
                    "$Id",
                    "cr\rcr",
                    "\u{e9}\n",
                    "no end",
                    "$$",
                    "$Id:\n$",
                    "\u{1}\n",
                ])
                .as_bytes(),
        );
    }
    bytes
}

fn generate(seed: u64, encodings: bool) -> Vec<Files> {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut files = Files::new();
    for path in PATHS {
        files.insert(path.to_owned(), content(&mut random));
    }
    if seed.is_multiple_of(2) {
        let all = "[attr]win text eol=crlf\n[attr]twice win ident\n*.txt eol=crlf\n";
        files.insert(".gitattributes".to_owned(), all.into());
    }
    let mut commits = Vec::new();
    for _ in 0..6 {
        for _ in 0..1 + random.below(2) {
            let path = random.pick(&PATHS).to_owned();
            let text = content(&mut random);
            files.insert(path, text);
        }
        let dir = random.pick(&["", "", "", "sub/", "sub/deep/", "other/"]);
        let name = format!("{dir}.gitattributes");
        let old = files.get(&name).cloned().unwrap_or_default();
        let line = attribute_line(&mut random, encodings).into_bytes();
        match random.below(6) {
            0 => drop(files.remove(&name)),
            1 => drop(files.insert(name, line)),
            2 => drop(files.insert(name, [line, old].concat())),
            3 => {}
            _ => drop(files.insert(name, [old, line].concat())),
        }
        commits.push(files.clone());
    }
    commits
}

#[test]
fn equal_ids_are_equal_bytes_on_random_attribute_histories() {
    let mut converted = 0;
    for seed in 1..=40_u64 {
        let encodings = seed.is_multiple_of(4);
        let commits = generate(seed, encodings);
        let repo = Repo::new();
        import(&repo, &commits);
        converted += compare(&repo, &commits, &format!("seed {seed}"), !encodings);
    }
    eprintln!("{converted} files written other than stored");
    assert!(converted > 300, "{converted}");
}

fn files(list: &[(&str, &str)]) -> Files {
    let own = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
    list.iter().map(own).collect()
}

fn changed(log: &ChangeLog, build: usize) -> Vec<String> {
    let path = |c: &cacheplan::history::Change| log.paths.bytes(c.path);
    let mut paths: Vec<_> = log.changes(build).iter().map(path).collect();
    paths.sort();
    let text = |p: Vec<u8>| String::from_utf8(p).expect("text");
    paths.into_iter().map(text).collect()
}

#[test]
fn an_edit_of_attributes_changes_the_files_it_concerns() {
    let repo = Repo::new();
    let texts = [
        ("d/a.bat", "a\n"),
        ("d/b.sh", "b\n"),
        ("d/empty.bat", ""),
        ("e.bat", "e\n"),
    ];
    let with = |attributes: &str, more: &[(&str, &str)]| {
        let mut all = files(&texts);
        all.insert(".gitattributes".to_owned(), attributes.into());
        all.extend(files(more));
        all
    };
    let commits = [
        with("* text=auto\n", &[]),
        with("* text=auto\n*.bat eol=crlf\n", &[]),
        // The same conversion in other words.
        with("*.bat text=auto eol=crlf\n", &[]),
        // The blob holds now what the checkout wrote: nothing changes there.
        with("*.bat text=auto eol=crlf\n", &[("d/a.bat", "a\r\n")]),
        with(
            "*.bat text=auto eol=crlf\n",
            &[("d/.gitattributes", "a.bat -text\n")],
        ),
        with("*.bat -text\n", &[]),
    ];
    import(&repo, &commits);
    let whole = log(&repo, &[]);
    assert_eq!(changed(&whole, 1), [".gitattributes", "d/a.bat", "e.bat"]);
    assert_eq!(changed(&whole, 2), [".gitattributes"]);
    assert_eq!(changed(&whole, 3), [] as [&str; 0]);
    // The blob with LF is back, and is written as it is.
    assert_eq!(changed(&whole, 4), ["d/.gitattributes", "d/a.bat"]);
    assert_eq!(
        changed(&whole, 5),
        [".gitattributes", "d/.gitattributes", "e.bat"]
    );
    compare(&repo, &commits, "edits", true);
    // Attributes above a prefix count, and are no part of the log.
    let below = log(&repo, &["d"]);
    let lists: Vec<_> = (0..6).map(|b| changed(&below, b)).collect();
    assert_eq!(lists[0], ["d/a.bat", "d/b.sh", "d/empty.bat"]);
    assert_eq!(lists[1], ["d/a.bat"]);
    assert!(lists[2].is_empty() && lists[3].is_empty());
    assert_eq!(lists[4], ["d/.gitattributes", "d/a.bat"]);
    assert_eq!(lists[5], ["d/.gitattributes"]);
    let (a, b) = (states(&whole), states(&below));
    for (a, b) in a.iter().zip(&b) {
        assert!(b.iter().all(|(path, id)| a.get(path) == Some(id)));
    }
}

#[test]
fn attributes_of_the_machine_do_not_count() {
    let repo = Repo::new();
    import(
        &repo,
        &[files(&[("a.txt", "a\n")]), files(&[("a.txt", "b\n")])],
    );
    let before = states(&log(&repo, &[]));
    repo.write(".git/info/attributes", "* eol=crlf\n");
    repo.git(["config", "core.autocrlf", "true"]);
    repo.git(["config", "core.eol", "crlf"]);
    assert_eq!(states(&log(&repo, &[])), before);
}

#[test]
fn a_pointer_stands_for_its_file_where_the_filter_is_named() {
    let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 123456\n");
    let repo = Repo::new();
    let texts = [
        ("big.bin", pointer.as_str()),
        ("plain.bin", "not a pointer\n"),
    ];
    let mut with = files(&texts);
    with.insert(
        ".gitattributes".to_owned(),
        "*.bin filter=lfs diff=lfs merge=lfs -text\n".into(),
    );
    import(&repo, &[files(&texts), with]);
    // With the filter on the machine the bytes are others from here on.
    assert_eq!(changed(&log(&repo, &[]), 1), [".gitattributes", "big.bin"]);
    let repository = Repository::discover(&repo.root).expect("a repository");
    let sizes = |rev: &str| -> Vec<Option<u64>> {
        let commit = repository.resolve(rev).expect("a commit");
        let list = repository.list(commit, b"").expect("readable");
        let bins: Vec<_> = list
            .iter()
            .filter(|(p, _)| p.ends_with(b".bin"))
            .cloned()
            .collect();
        repository
            .sizes_checked_out(commit, &bins)
            .expect("readable")
    };
    assert_eq!(sizes("HEAD~1"), [Some(pointer.len() as u64), Some(14)]);
    assert_eq!(sizes("HEAD"), [Some(123_456), Some(14)]);
}

#[test]
fn blobs_that_a_partial_clone_lacks_never_look_equal() {
    let repo = Repo::new();
    let with = |attributes: &str| {
        let mut all = files(&[("a.txt", "a\n"), ("b.bin", "b")]);
        all.insert(".gitattributes".to_owned(), attributes.into());
        all
    };
    let commits = [
        with("*.txt text\n"),
        with("*.txt eol=crlf\n"),
        with("*.txt text\n"),
    ];
    import(&repo, &commits);
    let blob = repo.rev("HEAD:a.txt");
    let remove = |oid: &str| {
        let object = format!(".git/objects/{}/{}", &oid[..2], &oid[2..]);
        std::fs::remove_file(repo.root.join(object)).expect("it is loose");
    };
    repo.unpack();
    remove(&blob);
    let log_of = |missing: Unread| {
        let found = log(&repo, &[]);
        assert_eq!(found.unread, missing);
        found
    };
    let found = log_of(Unread {
        attribute_files: 0,
        files: 1,
    });
    assert_eq!(changed(&found, 1), [".gitattributes", "a.txt"]);
    assert_eq!(changed(&found, 2), [".gitattributes", "a.txt"]);
    let state = states(&found);
    assert_eq!(state[0]["a.txt"], state[2]["a.txt"]);
    remove(&repo.rev("HEAD~1:.gitattributes"));
    log_of(Unread {
        attribute_files: 1,
        files: 0,
    });
}
