//! RUNs that give what was copied another owner or mode: which of them a COPY can do, and that a real builder makes the same image
//! of it.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the builds are left out and said so (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` they fail). Invariant: every case says what of its end the plan keeps, so none passes by
//! finding nothing to do; every case where nothing may be done differs in one thing from one where something is.

mod common;
#[path = "common/planned.rs"]
mod planned;

use cacheplan::dockerfile::parse;
use cacheplan::optimize::precedence::Scene;
use cacheplan::plan::{BuildOptions, lower};
use cacheplan::rewrite::{self, copy_flags};
use cacheplan::source::SourceFile;
use common::builder;
use common::pairs::{Outcome, built};
use common::random_history::Random;
use common::random_plan::context;
use planned::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const EDITS: &[&str] = &[
    "src/a",
    "src/run.sh",
    "src/b",
    "src/a",
    "src/run.sh",
    "src/b",
];

/// A stage that makes a tree, one that is built upon it, and what the last one does.
fn file(steps: &str) -> String {
    format!(
        "FROM busybase AS build\nCOPY src /src\n\
         RUN mkdir -p /out/deep && cp /src/a /out/a.txt && cp /src/b /out/deep/b && chmod 600 /out/deep/b && \\\n    \
         ln -s a.txt /out/link && chmod 700 /out/deep && cp -r /out /dist.d && cp /src/a /tool.sh\n\
         FROM busybase\nWORKDIR /srv\n{steps}\n"
    )
}

fn files(file: &str) -> Vec<(&str, &str)> {
    vec![
        ("Dockerfile", file),
        ("src/a", "a\n"),
        ("src/b", "b\n"),
        ("src/run.sh", "#!/bin/sh\n"),
    ]
}

/// The lines behind WORKDIR of the best plan, after a real builder has compared the images.
fn planned(steps: &str) -> String {
    let file = file(steps);
    let repo = repository(&files(&file), EDITS);
    let flags = ["--rewrites", "merge-run,reorder"];
    let plan = best(&repo.root, &flags);
    let new = text(&plan, "dockerfile").to_owned();
    if builder::version_or_skip().is_some() {
        builds_the_same_image(&repo.root, &flags, &new);
    }
    let (_, end) = new.split_once("WORKDIR /srv\n").expect("the last stage");
    end.trim_end().to_owned()
}

#[test]
fn a_copy_gives_owner_and_mode() {
    for (steps, kept) in [
        // A file of the context.
        (
            "COPY src/run.sh /run.sh\n# so that it starts\nRUN chmod +x /run.sh",
            "# so that it starts\nCOPY --chmod=755 src/run.sh /run.sh",
        ),
        (
            "COPY src/a src/b ./\nRUN chown 7:8 a b && chmod 0640 a ./b",
            "COPY --chown=7:8 --chmod=640 src/a src/b ./",
        ),
        // Of root's group, as the context is.
        (
            "COPY src/a src/b ./\nRUN chown 7 a b",
            "COPY --chown=7:0 src/a src/b ./",
        ),
        // A text.
        (
            "COPY <<EOF x.sh\necho\nEOF\nCOPY src/a .\nRUN chmod u+x,go= x.sh && chmod 600 a",
            "COPY --chmod=700 <<EOF x.sh\necho\nEOF\nCOPY --chmod=600 src/a .",
        ),
        // A tree of another stage: into what is there, and what is made with mode 755.
        (
            "COPY --from=build /out ./out\nRUN chown -R 7:8 ./out && chmod -R 750 out",
            "COPY --from=build --chown=7:8 --chmod=750 /out ./out",
        ),
        (
            "COPY --from=build /out ./x/y/out\nRUN chmod -R 755 ./x/y/out",
            "COPY --from=build --chmod=755 /out ./x/y/out",
        ),
        // One that has a name like a file is none: it says so itself.
        (
            "COPY --from=build /tool.sh ./\nRUN chmod 700 tool.sh",
            "COPY --from=build --chmod=700 /tool.sh ./",
        ),
        // Into the folder that WORKDIR has made: that is changed before.
        (
            "WORKDIR web\nCOPY src .\n\nRUN echo web:x:77:78::/:/bin/sh >> /etc/passwd && echo web:x:78: >> /etc/group && \\\n    chown -R web:web . && chmod -R 770 /srv/web\n\nCMD [\"true\"]",
            "WORKDIR web\nRUN echo web:x:77:78::/:/bin/sh >> /etc/passwd \\\n    && echo web:x:78: >> /etc/group \\\n    && chown web:web . \\\n    && chmod 770 /srv/web\nCOPY --chown=web:web --chmod=770 src .\n\nCMD [\"true\"]",
        ),
        // Over others that have that mode already, and into a folder that may be there or not.
        (
            "COPY --from=build /out .\nRUN chown -R 7:8 . && chmod -R 755 .\nCOPY --from=build /src ./deep\nRUN chmod -R 755 ./deep",
            "COPY --from=build /out .\nRUN chown -R 7:8 . && chmod -R 755 .\nCOPY --from=build --chmod=755 /src ./deep",
        ),
        // What is left of a RUN goes its own way.
        (
            "COPY --from=build /out ./out\nRUN mkdir more && chown -R 7:8 ./out more",
            "RUN mkdir more \\\n    && chown -R 7:8 more\nCOPY --from=build --chown=7:8 /out ./out",
        ),
        // Two RUNs, one after the other.
        (
            "COPY --from=build /out ./out\nCOPY src/a .\nRUN chown -R 7:8 out\nRUN chmod -R 700 out",
            "COPY --from=build --chown=7:8 --chmod=700 /out ./out\nCOPY src/a .",
        ),
    ] {
        assert_eq!(planned(steps), kept, "{steps}");
    }
}

#[test]
fn what_git_says_is_executable_is_not_made_so_again() {
    let file = file("COPY src .\nRUN mkdir data && chmod +x run.sh");
    let repo = Repo::new();
    for (path, text) in files(&file) {
        repo.write(path, text);
    }
    repo.set_executable("src/run.sh", true);
    repo.commit("first");
    for (n, edit) in EDITS.iter().enumerate() {
        repo.write(edit, &format!("{n}\n"));
        repo.commit(edit);
    }
    let plan = best(&repo.root, &["--rewrites", "merge-run,reorder"]);
    let new = text(&plan, "dockerfile");
    assert!(
        new.ends_with("WORKDIR /srv\nRUN mkdir data\nCOPY src .\n"),
        "{new}"
    );
    let assumed = plan["assumptions"].to_string();
    assert!(assumed.contains("src/run.sh is executable"), "{assumed}");
}

#[test]
fn what_else_a_copy_would_do_is_seen() {
    let kept = |steps: &str| {
        let file = file(steps);
        let repo = repository(&files(&file), EDITS);
        let plan = best(&repo.root, &["--rewrites", "merge-run,reorder"]);
        let new = text(&plan, "dockerfile");
        assert!(
            !new.contains("--chmod=") && !new.contains("--chown="),
            "{new}"
        );
    };
    for steps in [
        // The folders above would get the owner, or the mode, too.
        "COPY --from=build /out ./x/out\nRUN chown -R 7:8 ./x/out",
        "COPY --from=build /out ./x/out\nRUN chmod -R 700 ./x/out",
        "COPY src/a ./x/\nRUN chmod 600 ./x/a",
        // One of two.
        "COPY src/a src/b ./\nRUN chmod 600 a",
        "COPY src .\nRUN chmod 600 a",
        // The tree alone, or what may be one.
        "COPY --from=build /out ./out\nRUN chmod 700 out",
        "COPY --from=build /dist.d ./\nRUN chmod 700 a.txt",
        // More than the tree.
        "COPY --from=build /out ./x/out\nRUN chmod -R 755 ./x",
        // There may be more in it.
        "COPY --from=build /src .\nCOPY --from=build /out ./deep\nRUN chmod -R 755 deep",
        "WORKDIR web\nRUN touch old\nCOPY src .\nRUN chown -R 7:8 .",
        // The image may have something there.
        "COPY src .\nRUN chown -R 7:8 .",
        "RUN mkdir -p out/old\nCOPY --from=build /out out\nRUN chown -R 7:8 out",
        // It has another mode from before.
        "COPY --from=build /out .\nRUN chmod -R 700 .\nCOPY --from=build /src ./deep\nRUN chmod -R 755 ./deep",
        // What that comes to depends on the files.
        "COPY --from=build /out ./out\nRUN chmod -R g=u out",
        "COPY --from=build /out ./out\nRUN chmod -R +x out",
        "COPY src/run.sh .\nRUN chmod u+x run.sh && chmod g+w run.sh && chmod a-r run.sh",
        "COPY src/a .\nRUN chmod go+X a",
        "COPY --from=build /out ./out\nRUN chown -R 7 out",
        // It is looked at, or changed, before.
        "COPY src/a .\nRUN ls -l a > seen\nRUN chmod 600 a",
        "COPY src/a .\nRUN ls -l a > seen && chmod 600 a",
        "COPY src/a .\nRUN echo >> a\nRUN chmod 600 a",
        "COPY --from=build /out ./out\nCOPY src/a out/a.txt\nRUN chown -R 7:8 out",
        "COPY --from=build /out ./out\nWORKDIR out/new\nRUN chown -R 7:8 ../",
        // The account may be a new one.
        "COPY src/a .\nRUN adduser -D -H -u 77 app\nRUN chown app:app a",
        // Who runs what is left, with which variables and in which shell, is said in between.
        "WORKDIR web\nUSER 5\nCOPY src .\nUSER root\nRUN chown -R 7:8 .",
        "WORKDIR web\nCOPY src .\nENV O=5\nRUN mkdir /q$O && chown -R 7:8 .",
        "WORKDIR web\nSHELL [\"/bin/true\", \"-c\"]\nCOPY src .\nSHELL [\"/bin/sh\", \"-c\"]\nRUN mkdir /q && chown -R 7:8 .",
        // Another name of the place.
        "WORKDIR web\nRUN ln -s /srv/web /l\nCOPY src/a a\nRUN stat -c %a /l/a > /seen\nRUN chmod 600 a",
        "WORKDIR web\nRUN ln -s /srv/web /l\nRUN touch /l/new\nCOPY src .\nRUN chown -R 7:8 /srv/web",
        // The folder is only there for the moment, or a failure is not seen.
        "RUN --mount=type=tmpfs,target=/srv/x mkdir -p /srv/x/y && chown 7:8 /srv/x/y\nCOPY src x/y/z\nRUN chown -R 7:8 x/y/z",
        "RUN echo $(chmod 700 /srv/x)\nCOPY src x/z\nRUN chown -R 7:8 x/z",
        "RUN exit 0 && chmod 700 /srv/x\nCOPY src x/z\nRUN chown -R 7:8 x/z",
        // The name may be another account's by then.
        "COPY --from=build /out .\nRUN chown -R app:app .\nRUN sed -i s/1000/1009/ /etc/passwd\nCOPY --from=build /src ./deep\nRUN chown -R app:app ./deep",
        // The flags say something else.
        "COPY --link src/a .\nRUN chmod 600 a",
        // A failure would no longer be one.
        "COPY src/a .\nRUN chmod 600 a || true",
        "COPY src/a .\nRUN cd / && chmod 600 a",
        "COPY src/a .\nRUN --network=none chmod 600 a",
        "ADD src/a .\nRUN chmod 600 a",
    ] {
        kept(steps);
    }
    let file = "FROM busybase AS below\nONBUILD RUN mkdir -p /web && touch /web/old\nFROM below\nWORKDIR /web\nCOPY src .\n\
                RUN chown -R 7:8 .\n";
    let repo = repository(&files(file), EDITS);
    let plan = best(&repo.root, &["--rewrites", "merge-run,reorder"]);
    let new = text(&plan, "dockerfile");
    assert!(!new.contains("--chown="), "{new}");
}

/// A random file whose last stage copies things and changes their owner and mode.
fn random(seed: u64) -> String {
    const MODES: &[&str] = &[
        "755", "0755", "700", "640", "444", "+x", "u+x", "go-rwx", "a+rX",
    ];
    const OWNERS: &[&str] = &["7:8", "7:8", "9:0", "7", "root:root", "web:web"];
    const DESTS: &[&str] = &[
        "./",
        ".",
        "o",
        "o/",
        "x/o",
        "x/y/",
        "/srv/z",
        "/srv/z/q/",
        "n.sh",
        "x/n.conf",
    ];
    const SOURCES: &[(&str, &[&str])] = &[
        ("f", &["f"]),
        ("h.txt g", &["h.txt", "g"]),
        ("src", &["f", "deep", "n.txt"]),
        ("src/deep", &["k.conf"]),
        (".", &["f", "src"]),
        ("links", &["l", "deep"]),
        ("--from=build /out", &["a.txt", "deep", "deep/b", "link"]),
        ("--from=build /out/deep", &["b"]),
        ("--from=build /tool.sh", &["tool.sh"]),
        ("--from=build /bin/tool", &["tool"]),
        ("<<E", &["E"]),
    ];
    let mut random = Random::new(seed);
    let mut text = "FROM busybase AS build\nCOPY src /src\n\
         RUN mkdir -p /out/deep && cp /src/f /out/a.txt && cp /src/n.txt /out/deep/b && chmod 600 /out/deep/b && \\\n    \
         ln -s a.txt /out/link && ln -s nowhere /out/deep/to && chmod 711 /out/deep && \\\n    \
         cp /src/f /tool.sh && cp /src/f /bin/tool && chown 5:6 /tool.sh /out/deep\n\
         FROM busybase\nRUN echo web:x:70:71::/:/bin/sh >> /etc/passwd && echo web:x:71: >> /etc/group\nWORKDIR /srv/app\n"
        .to_owned();
    let mut cwd = "/srv/app".to_owned();
    let mut places = vec![cwd.clone()];
    let chain = |random: &mut Random, places: &[String], likely: &[String], n: usize| {
        let mut parts = Vec::new();
        for _ in 0..1 + random.below(3) {
            let pick = |random: &mut Random| match likely.is_empty() || random.one_in(6) {
                true => random.pick(places).clone(),
                false => random.pick(likely).clone(),
            };
            let mut paths = pick(random);
            if random.one_in(3) {
                paths = format!("{paths} {}", pick(random));
            }
            let deep = if random.one_in(2) { "-R " } else { "" };
            parts.push(match random.below(12) {
                0..5 => format!("chmod {deep}{} {paths}", random.pick(MODES)),
                5..9 => format!("chown {deep}{} {paths}", random.pick(OWNERS)),
                9 => format!("mkdir -p {}/m{n}", pick(random)),
                10 => format!("stat -c %a:%u:%g {} > /seen{n}", pick(random)),
                _ => "echo web:x:7{n}:8::/:/bin/sh >> /etc/passwd && echo web:x:8: >> /etc/group"
                    .replace("{n}", &n.to_string()),
            });
        }
        format!("RUN {}\n", parts.join(" && "))
    };
    for n in 0..3 + random.below(5) {
        match random.below(10) {
            0 => {
                let dir = *random.pick(&["/srv/app", "o", "/srv/z", "x"]);
                text.push_str(&format!("WORKDIR {dir}\n"));
                cwd = match dir.starts_with('/') {
                    true => dir.to_owned(),
                    false => format!("{cwd}/{dir}"),
                };
                places.push(cwd.clone());
            }
            1 => text.push_str(&chain(&mut random, &places, &[], n)),
            _ => {
                let (source, names) = random.pick(SOURCES);
                let mut dest = (*random.pick(DESTS)).to_owned();
                if source.contains(' ') && !source.starts_with('-') {
                    dest = format!("{}/", dest.trim_end_matches('/'));
                }
                let flags = *random.pick(&[
                    "",
                    "",
                    "",
                    "",
                    "",
                    "--chown=7:8 ",
                    "--chmod=700 ",
                    "--chown=web:web ",
                ]);
                text.push_str(&format!("COPY {flags}{source} {dest}\n"));
                if *source == "<<E" {
                    text.push_str("text\nE\n");
                }
                let top = match dest.starts_with('/') {
                    true => dest.trim_end_matches('/').to_owned(),
                    false => format!(
                        "{cwd}/{}",
                        dest.trim_start_matches("./").trim_end_matches(['/', '.'])
                    ),
                };
                let top = top.trim_end_matches('/').to_owned();
                let tree = matches!(*source, "src" | "src/deep" | "." | "links")
                    || source.contains("/out");
                let inside = tree || dest.ends_with(['/', '.']);
                let mut likely: Vec<String> = match inside {
                    true => names.iter().map(|n| format!("{top}/{n}")).collect(),
                    false => vec![top.clone()],
                };
                if tree {
                    likely.extend([top.clone(), top.clone()]);
                }
                places.extend(likely.clone());
                if !random.one_in(3) {
                    text.push_str(&chain(&mut random, &places, &likely, n));
                }
            }
        }
    }
    text
}

/// The same with all that its COPYs can do taken out of its RUNs.
fn folded(text: &str) -> Option<String> {
    let source = SourceFile::new("Dockerfile", text.to_owned());
    let file = parse(&source).tree;
    let plan = lower(&file, &BuildOptions::default());
    let scene = Scene::new(&file, &plan, Some(&context::Context));
    let view = scene.view(&source, &file)?;
    let found = copy_flags::find(&view);
    let applied = rewrite::apply(&source, &file, &found.iter().collect::<Vec<_>>())?;
    let new = String::from_utf8(applied.source.bytes().to_vec()).expect("text");
    (new != text).then_some(new)
}

/// `CACHEPLAN_FLAG_PAIRS` random pairs from seed `CACHEPLAN_FLAG_SEED` on, on every daemon of `CACHEPLAN_PLAN_HOSTS` at a time.
#[test]
fn random_copies_make_the_same_image() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let first = builder::number("CACHEPLAN_FLAG_SEED", 1);
    let wanted = usize::try_from(builder::number("CACHEPLAN_FLAG_PAIRS", 15)).expect("a count");
    let hosts = std::env::var("CACHEPLAN_PLAN_HOSTS").unwrap_or_default();
    let hosts: Vec<Option<&str>> = match hosts.is_empty() {
        true => vec![None],
        false => hosts.split(',').map(Some).collect(),
    };
    let (next, same, refused) = (
        AtomicU64::new(first),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                let folder = tempfile::tempdir().expect("a folder");
                context::write(&folder.path().join("context")).expect("writable");
                while same.load(Ordering::SeqCst) < wanted
                    && wrong.lock().expect("no panic").len() < 3
                {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    let text = random(seed);
                    let Some(new) = folded(&text) else { continue };
                    match built(*host, folder.path(), &text, &new) {
                        Outcome::Same => _ = same.fetch_add(1, Ordering::SeqCst),
                        Outcome::Refused(_) => _ = refused.fetch_add(1, Ordering::SeqCst),
                        Outcome::Different(what) => {
                            let told = format!("---- seed {seed}\n{what}\n{text}-- folded\n{new}");
                            eprintln!("{told}");
                            wrong.lock().expect("no panic").push(seed);
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    let (same, refused) = (same.into_inner(), refused.into_inner());
    eprintln!(
        "copy flags: from seed {first} on {same} pairs identical, {refused} refused, wrong: {wrong:?}"
    );
    assert!(wrong.is_empty(), "seeds {wrong:?} differ");
    assert!(
        refused < 5 * same,
        "{refused} of {} refused",
        same + refused
    );
}
