//! Pairs of instructions of small files: whether they may change places, how surely, and why not.

use super::*;
use crate::dockerfile::parse;
use crate::plan::{BuildOptions, lower};
use crate::source::SourceFile;

/// `a` and `b` are files, `dir/f` too, `dir/link` is a symbolic link.
struct Files;

impl ContextFiles for Files {
    fn is_file(&self, path: &str) -> bool {
        matches!(path, "a" | "b" | "dir/f" | "plain/f")
    }
    fn is_link(&self, path: &str) -> bool {
        path == "dir/link"
    }
    fn links_in(&self, dir: &str) -> Option<Vec<String>> {
        (!matches!(dir, "" | "dir")).then(Vec::new)
    }
    fn has_below(&self, dir: &str) -> bool {
        matches!(dir, "" | "dir" | "plain")
    }
    fn below(&self, dir: &str) -> Vec<String> {
        let all = ["a", "b", "dir/f", "dir/link", "plain/f"];
        let start = format!("{dir}/");
        let inside = |p: &&&str| dir.is_empty() || p.starts_with(&start);
        all.iter().filter(inside).map(|p| (*p).to_owned()).collect()
    }
    fn read(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// The relation of the instructions on two lines of a file; lines are 1-based.
fn between(text: &str, first: u32, second: u32) -> Relation {
    let source = SourceFile::new("Dockerfile", text);
    let file = parse(&source).tree;
    let plan = lower(&file, &BuildOptions::default());
    assert!(!plan.has_errors(), "{text}: {:?}", plan.diagnostics);
    let scene = Scene::new(&file, &plan, Some(&Files));
    for stage in 0..plan.stages.len() {
        let place = |line: u32| {
            let mut items = scene.stage(stage).iter();
            items.position(|i| i.instruction.line == line)
        };
        if let (Some(i), Some(j)) = (place(first), place(second)) {
            return scene.relation(stage, i, j);
        }
    }
    panic!("no such lines in one stage: {text}");
}

/// `proven`, `assumed`, or the reason to keep the order.
fn told(relation: &Relation) -> String {
    match relation {
        Relation::Keep(why) => why.clone(),
        Relation::Commute {
            certainty: Certainty::Exact,
            ..
        } => "proven".to_owned(),
        Relation::Commute { assumptions, .. } => format!("assumed: {}", assumptions.join("; ")),
    }
}

/// Lines 2 and 3 of a stage on busybox, and a part of what is said of them.
#[rustfmt::skip]
const PAIRS: &[(&str, &str)] = &[
    ("RUN echo x > /a\nRUN echo y > /b", "proven"),
    ("RUN echo x > /a\nRUN cat /a > /b", "both touch /a"),
    ("RUN echo x > /a\nRUN echo y >> /a", "both touch /a"),
    // Folders that both make.
    ("RUN mkdir -p /d/x\nRUN mkdir -p /d/y", "proven"),
    ("RUN mkdir -p /d/x\nRUN mkdir /d/y", "both touch /d"),
    ("RUN mkdir -p /d/x && touch /d/x/f\nRUN mkdir -p /d/y && touch /d/y/f", "proven"),
    ("RUN mkdir -p /d\nRUN touch /d/f; mkdir -p /d", "both touch /d"),
    ("RUN mkdir -p /d\nRUN [ -f /z ] && mkdir -p /d; touch /d/f", "both touch /d"),
    ("RUN mkdir -p /d\nRUN mkdir -p /d && rm -rf /d && touch /d/f || true", "both touch /d"),
    ("RUN umask 077; mkdir -p /d\nRUN mkdir -p /d", "both touch /d"),
    ("RUN mkdir -p /d/x\nRUN rm -rf /d", "both touch /d"),
    ("RUN mkdir -p /d/x\nRUN chmod 700 /d", "both touch /d"),
    ("RUN mkdir -p /d/x\nRUN rmdir /d || true", "both touch /d"),
    ("RUN mkdir -p /d\nCOPY a /d/", "proven"),
    ("RUN mkdir -p /d\nCOPY --chown=1000 a /d/", "which of them creates /d"),
    ("RUN mkdir -p /d\nCOPY --link --chown=1000 a /d/", "proven"),
    ("RUN chmod 700 /tmp\nCOPY --link a /tmp/", "both touch /tmp"),
    ("WORKDIR /d\nCOPY a /d/", "proven"),
    ("COPY a /d/\nCOPY b /d/", "proven"),
    ("COPY a /d/\nCOPY dir/f /d/", "proven"),
    ("COPY plain /d/\nCOPY b /d/", "both touch /d"),
    ("COPY a /d\nCOPY b /d/", "both touch /d"),
    ("COPY a /d/x\nRUN touch /d/x/y || true", "both touch /d"),
    // Patterns.
    ("RUN touch /d/x\nRUN echo /d/* > /list", "both touch /d/x"),
    ("RUN touch /d/x\nRUN for f in /d/*; do echo $f; done > /list", "both touch /d/x"),
    ("RUN touch /d/x\nRUN set -- /d/*; echo $# > /list", "both touch /d/x"),
    ("RUN touch /d/x\nRUN echo $(cat /y) > /list", "assumed: no value that stands without quotes"),
    ("RUN touch /d/x\nRUN echo \"$(cat /y)\" > /list", "proven"),
    ("RUN touch /d/x\nRUN echo $(cat /y)/* > /list", "a pattern of file names is not known"),
    // Links.
    ("RUN ln -s /data /w\nRUN echo x > /w/f", "both touch /data/f"),
    ("RUN ln /a /b || true\nRUN echo x > /c", "proven"),
    ("RUN ln /a /b || true\nRUN echo x >> /a", "both touch /a"),
    ("COPY dir /d/\nRUN echo x > /c", "proven"),
    ("COPY dir /d/\nRUN echo x > /d/link/f", "both touch /d"),
    ("RUN mkdir -p /etc/x\nRUN echo x > /etc/y", "proven"),
    ("RUN echo x > /etc/os-release\nRUN echo x > /c", "assumed: no symbolic link makes one place"),
    ("RUN echo x > /etc/y\nRUN echo x > /c", "proven"),
    // The user database.
    ("RUN adduser -D bob\nRUN echo x > /a", "assumed: adduser touches only"),
    ("RUN adduser -D bob\nRUN chown bob /tmp/x || true", "both touch /etc/passwd/bob"),
    ("RUN adduser -D bob\nRUN chown 1000 /x || true", "assumed: adduser"),
    ("RUN adduser -D bob\nRUN adduser -D eve", "both touch /etc/.pwd.lock"),
    ("RUN adduser -D bob\nCOPY --chown=bob a /x", "both touch /etc/passwd/bob"),
    ("RUN adduser -D bob\nCOPY --chown=eve a /x", "assumed: adduser"),
    ("RUN adduser -D bob\nRUN echo bob:x:: >> /etc/passwd", "both touch /etc/passwd"),
    ("RUN echo e::1:1::/: >> /etc/passwd\nRUN echo x > /a", "one is run with /etc/passwd"),
    // Programs.
    ("RUN cp /bin/busybox /bin/mkdir\nRUN mkdir /x", "one is run with /bin/mkdir"),
    ("COPY a /usr/local/bin/tool\nRUN mkdir /x", "proven"),
    ("COPY a /usr/local/bin/mkdir\nRUN mkdir /x", "one is run with /usr/local/bin/mkdir"),
    ("COPY a /lib/ld.so\nRUN echo x > /x", "one is run with /lib"),
    ("RUN apk add git\nRUN mkdir -p /x", "installing packages leaves"),
    ("RUN apk add git\nRUN git --version > /x", "both touch /"),
    // What looks at times and orders.
    ("RUN find /d -type f > /list || true\nRUN touch /d/f || true", "both touch /d"),
    // Variables.
    ("ENV A=1\nRUN echo x > /a", "proven"),
    ("ENV A=1\nRUN echo $A > /a", "looks at A"),
    ("ENV A=1\nRUN sh -c 'echo $A' > /a", "looks at A"),
    ("ENV A=1\nRUN env > /a", "any variable"),
    ("ENV A=1\nRUN export > /a", "any variable"),
    ("ENV A=1\nRUN echo $((A + 1)) > /a", "any variable"),
    ("ENV PATH=/x:$PATH\nRUN echo x > /a", "PATH counts"),
    ("ENV LC_ALL=C\nRUN sort /etc/passwd > /a", "LC_ALL counts"),
    ("ARG A=1\nRUN echo x > /a", "proven"),
    ("ARG A=1\nRUN --mount=type=tmpfs,target=/$A echo x > /a", "expands a variable"),
    ("ARG A=1\nCOPY a /$A", "expands a variable"),
    ("ARG SOURCE_DATE_EPOCH=1\nRUN echo x > /a", "gives files that time"),
    ("ARG GIT_SHA\nRUN apk add git", "assumed: no command of line 3 looks at GIT_SHA"),
    ("ARG GIT_SHA\nRUN echo $GIT_SHA > /a && apk add git", "looks at GIT_SHA"),
    ("ARG VERSION\nRUN apk add git", "may look at VERSION"),
    ("ARG GIT_SHA\nRUN ./x", "any variable"),
    // Values that expansions change, and places that are not what they seem.
    ("RUN echo 1 > /p/f || true\nRUN P=; : \"${P:=/p}\"; echo 2 > $P/f", "not known"),
    ("RUN echo 1 > /q/f2 || true\nRUN i=1; : $((i=i+1)); echo 2 > /q/f$i", "not known"),
    ("RUN echo 1 > /q/f2 || true\nRUN i=0; while [ $i -lt 2 ]; do : $((i=i+1)); echo 2 > /q/f$i; done", "not known"),
    ("RUN echo 1 > /r/1 || true\nRUN env X=1 sh -c 'echo 2 > /r/$X'", "not known"),
    ("RUN echo 1 > /w/f || true\nRUN V=/v; V=/w :; echo 2 > $V/f", "not known"),
    ("RUN chmod g+s /home\nRUN mkdir -p /home/x", "both touch /home"),
    ("RUN mkdir -p /s/e\nCOPY --chown=0:0 a /s/e/", "which of them creates /s"),
    ("COPY --chmod=700 a /d/\nCOPY b /d/", "which of them creates /d"),
    ("COPY a /etc/passwd\nCOPY --chown=zed a /x/", "both touch /etc/passwd"),
    ("RUN echo 1 > /f.bak\nRUN find /f -exec cp {} {}.bak \\;", "not known"),
    ("RUN echo 1 > /d/f.gz || true\nRUN find /d/f -exec gzip {} \\;", "both touch /d/"),
    ("RUN mkdir /n/sub || true\nRUN stat -c %h /n > /o", "both touch /n"),
    ("RUN echo x > /k/y || true\nRUN grep $(echo -r) x /k > /o || true", "not known"),
    ("RUN echo 1 > /o\nRUN sed 's/[/]/p;d;#/w /o' /in > /dev/null", "script may"),
    ("ARG FOO=1\nRUN cat /proc/self/environ > /o", "any variable"),
    ("ARG FOO=1\nRUN [ -v FOO ] && echo x > /o", "any variable"),
    ("RUN echo 1 > /o\nRUN F=/o; echo 2 >&$F", "not known"),
    ("RUN echo 1 > /f~\nRUN install -b /a /f", "option -b is not known"),
    ("COPY a /etc/crontabs/root\nCOPY b /var/spool/cron/crontabs/root", "assumed: no symbolic link"),
    ("RUN cd / && echo x > a\nRUN echo y > /b", "proven"),
    // State.
    ("USER app\nRUN echo x > /a", "sees the user"),
    ("USER app\nCOPY a /x", "proven"),
    ("LABEL x=1\nRUN echo x > /a", "proven"),
    ("LABEL x=1\nENV A=1", "proven"),
    ("LABEL x=1\nLABEL x=2", "keeps its order"),
    ("RUN ./x\nRUN echo x > /a", "line 2: it runs ./x"),
    ("RUN --mount=type=cache,target=/c echo x > /a\nRUN --mount=type=cache,target=/c echo y > /b", "cache mount /c"),
    ("RUN --mount=type=cache,target=/c echo x > /a\nRUN chmod 700 /c || true", "both touch /c"),
];

#[test]
fn pairs_stand_to_each_other_as_told() {
    let mut wrong = Vec::new();
    for (lines, expected) in PAIRS {
        let found = told(&between(&format!("FROM busybox\n{lines}\n"), 2, 3));
        if !found.contains(expected) {
            wrong.push(format!("{lines}\n  expected {expected}\n  found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whole files, two lines of them, and what is said of these.
#[rustfmt::skip]
const FILES: &[(&str, u32, u32, &str)] = &[
    // A link that another step makes has two names.
    ("FROM busybox\nRUN ln -s /data /w\nRUN echo x > /w/f\nRUN echo y > /data/f", 3, 4, "both touch /data/f"),
    ("FROM busybox\nRUN echo x > /w/f\nRUN echo y > /data/f\nRUN ln -s /data /w || true", 2, 3, "both touch /data/f"),
    ("FROM busybox\nRUN ln -s /data /w\nRUN echo x > /v/f\nRUN echo y > /data/f", 3, 4, "proven"),
    ("FROM busybox\nRUN ln -s ../data /w/l\nRUN echo x > /w/l/f\nRUN echo y > /data/f", 3, 4, "assumed: no symbolic link"),
    ("FROM busybox\nRUN ln -s /data /w\nRUN cd /w && echo x > ../v/f\nRUN echo y > /v/g", 3, 4, "assumed: no symbolic link"),
    ("FROM busybox\nRUN ln -s /data /u\nRUN cd /w && echo x > ../v/f\nRUN echo y > /v/g", 3, 4, "proven"),
    ("FROM busybox\nRUN ln -s $(cat /x) /w\nRUN echo x > /w/f\nRUN echo y > /data/f", 3, 4, "assumed: no symbolic link"),
    ("FROM busybox\nRUN ln -s /data /w && cp -a /w /v\nRUN echo x > /v/f\nRUN echo y > /data/f", 3, 4, "assumed: no symbolic link"),
    ("FROM busybox\nCOPY dir /d/\nRUN echo x > /d/link/f\nRUN echo y > /data/f", 3, 4, "assumed: no symbolic link"),
    ("FROM busybox\nCOPY plain /d/\nRUN echo x > /d/link/f\nRUN echo y > /data/f", 3, 4, "proven"),
    ("FROM busybox AS a\nRUN ln -s /data /w\nFROM a\nRUN echo x > /w/f\nRUN echo y > /data/f", 4, 5, "both touch /data/f"),
    ("FROM busybox AS a\nRUN ./x\nFROM a\nRUN echo x > /w/f\nRUN echo y > /data/f", 4, 5, "assumed: no symbolic link"),
    ("FROM busybox AS a\nRUN ln -s /data /o/w\nFROM busybox\nCOPY --from=a /o /o\nRUN echo x > /o/w/f\nRUN echo y > /data/f", 5, 6, "assumed: no symbolic"),
    ("FROM busybox AS a\nRUN echo x > /o/w\nFROM busybox\nCOPY --from=a /o /o\nRUN echo x > /o/w/f\nRUN echo y > /data/f", 5, 6, "proven"),
    ("FROM busybox\nRUN ln /a /b\nRUN echo x >> /a\nRUN echo x >> /b", 3, 4, "both touch /"),
    // Unknown steps.
    ("FROM busybox\nRUN ./x\nRUN echo x > /w/f\nRUN echo y > /data/f", 3, 4, "assumed: no symbolic link"),
    ("FROM busybox\nRUN echo x > /w/f\nRUN echo y > /data/f\nRUN ./x", 2, 3, "assumed: no later command looks at"),
    ("FROM busybox\nRUN echo x > /w/f\nRUN echo y > /data/f\nRUN find /w > /l", 2, 3, "proven"),
    ("FROM busybox\nRUN echo x > /w/f\nRUN echo y > /w/g\nRUN find /w > /l", 2, 3, "assumed: no later command looks at"),
    ("FROM busybox\nRUN echo x > /w/f\nRUN echo y > /w/g\nRUN [ /w/f -nt /w/g ] && touch /l", 2, 3, "assumed: no later command looks at"),
    ("FROM busybox\nRUN echo x > /w/f\nRUN echo y > /w/g\nRUN ls /w > /l", 2, 3, "proven"),
    ("FROM busybox AS a\nRUN echo x > /w/f\nRUN echo y > /w/g\nFROM busybox\nCOPY --from=a /w /v\nRUN find /v > /l", 2, 3, "assumed: no later"),
    ("FROM busybox\nRUN echo x > /a\nRUN echo y > /b\nRUN cp -p /a /b /e/ && [ /e/a -nt /e/b ] && touch /l", 2, 3, "assumed: no later command"),
    ("FROM busybox\nRUN touch /p/a\nRUN touch /p/b\nRUN find /p -type f -exec rm {} \\; -print > /o", 2, 3, "assumed: no later command"),
    ("FROM busybox\nRUN touch /d/a\nRUN touch /d/b\nRUN ln -s /d /l && [ /l/a -nt /l/b ] && touch /o", 2, 3, "assumed: no later command"),
    ("FROM busybox\nRUN mkdir /z && ln -s /z /y\nRUN ln -s x /y/b\nRUN echo 1 > /z/b\nRUN echo 2 > /z/x", 4, 5, "assumed: no symbolic link"),
    ("FROM busybox AS s\nRUN mkdir /d && ln -s y /d/x\nFROM busybox\nCOPY --from=s /d /e\nRUN echo 1 > /e/x\nRUN echo 2 > /e/y", 5, 6, "assumed: no symbolic link"),
    ("FROM busybox\nENV BASH_ENV=/e\nRUN echo Q=1 > /e\nRUN echo $Q > /o", 3, 4, "BASH_ENV is set"),
    ("FROM busybox\nSHELL [\"/bin/sh\",\"-lc\"]\nRUN echo Q=1 >> /etc/profile\nRUN echo $Q > /o", 3, 4, "the shell"),
    ("FROM busybox\nENV PATH=/app:/bin\nRUN printf x > /app/foo\nRUN which foo > /o || true", 3, 4, "both touch /app/foo"),
    ("FROM busybox\nUSER 1000\nWORKDIR /app\nRUN touch x\nCOPY --link a /app/", 4, 5, "one runs in /app"),
    ("FROM busybox\nRUN mkdir /app && ln -s /app /l\nWORKDIR /l\nRUN touch /z\nRUN rm -rf /app", 4, 5, "one runs in /app"),
    // Images.
    ("FROM example.org/own\nRUN echo x > /a\nRUN echo y > /b", 2, 3, "assumed: example.org/own has the usual folders"),
    ("FROM example.org/own\nRUN echo x > /a\nRUN echo y > /b", 2, 3, "; example.org/own runs commands as root"),
    ("FROM example.org/own\nUSER app\nRUN echo x > /a\nRUN echo y > /b", 3, 4, "assumed: example.org/own has the usual folders"),
    ("FROM example.org/own\nWORKDIR /w\nCOPY plain /w\nRUN echo x > /a", 3, 4, "assumed: example.org/own has the usual folders"),
    ("# cacheplan: plain-base\nFROM example.org/own\nRUN echo x > /a\nRUN echo y > /b", 3, 4, "proven"),
    ("FROM scratch\nCOPY a /o/a\nCOPY b /o/b", 2, 3, "proven"),
    ("FROM scratch\nCOPY a /etc/a\nCOPY --chown=1 b /etc/b", 2, 3, "which of them creates /etc"),
    ("FROM busybox\nCOPY a /etc/a\nCOPY --chown=1 b /etc/b", 2, 3, "proven"),
    // Files that variables name.
    ("FROM node\nENV NODE_EXTRA_CA_CERTS=/x/ca\nCOPY a /x/ca\nRUN npm install -g yarn", 3, 4, "both touch /x"),
    ("FROM node\nENV NODE_OPTIONS=--require=/x/a.js\nCOPY a /x/a.js\nRUN npm install -g yarn", 3, 4, "both touch /x"),
    ("FROM debian\nENV APT_CONFIG=/x/apt.conf\nCOPY a /x/\nRUN apt-get install -y git", 3, 4, "both touch /x"),
    ("FROM debian\nENV SSL_CERT_FILE=/x/ca\nCOPY a /x/ca\nRUN cp /y /z", 3, 4, "proven"),
    ("FROM node\nCOPY a /root/.gitconfig\nRUN npm install -g yarn", 2, 3, "both touch /root"),
    ("FROM node\nWORKDIR /app\nCOPY a /root/.ssh/id\nCOPY package.json ./\nRUN npm install", 3, 5, "both touch /root/.ssh"),
    ("FROM node\nENV PATH=/x:/usr/bin:/bin\nCOPY a /x/git\nRUN npm install -g yarn", 3, 4, "one is run with /x/git"),
    ("FROM debian\nENV PATH=/x:/usr/bin:/bin\nCOPY a /x/own\nRUN apt-get install -y git", 3, 4, "assumed"),
    // Packages and folders of the project.
    ("FROM debian\nCOPY a /opt/app/\nRUN apt-get install -y git", 2, 3, "the packages that are installed leave /opt/app alone"),
    ("FROM debian\nCOPY a /etc/ld.so.conf.d/a.conf\nCOPY a /opt/a/\nRUN apt-get install -y git", 3, 4, "both touch /opt"),
    ("FROM debian\nRUN echo /x > /etc/ld.so.conf.d/a.conf\nCOPY a /x/\nRUN apt-get install -y git", 3, 4, "both touch /x"),
    ("FROM debian\nCOPY a /var/www/html/\nRUN apt-get install -y git", 2, 3, "the packages that are installed leave /var/www/html alone"),
    ("FROM debian\nCOPY a /var/www/html/\nRUN apt-get install -y apache2", 2, 3, "both touch /var/www/html"),
    ("FROM debian\nCOPY a /tmp/\nRUN apt-get install -y git", 2, 3, "the packages that are installed leave /tmp/a alone"),
    ("FROM debian\nCOPY a /opt/app/\nRUN apt-get install -y git && rm -rf /opt/app/b", 2, 3, "both touch /opt/app"),
    ("FROM debian\nCOPY a /opt/app/\nRUN apt-get install -y git && echo x > /opt/app/b", 2, 3, "both touch /opt/app"),
    ("FROM debian\nCOPY a /opt/app/\nRUN apt-get install -y git && cat /opt/*/a > /x", 2, 3, "both touch /opt"),
    ("FROM debian\nCOPY . /opt\nRUN apt-get install -y git", 2, 3, "both touch /opt"),
    ("FROM debian\nCOPY a /root/.config/\nRUN apt-get install -y git", 2, 3, "both touch /root"),
    ("FROM debian\nRUN apt-get install -y a\nRUN apt-get install -y b", 2, 3, "both touch"),
    ("FROM debian\nCOPY . /\nRUN apt-get install -y git", 2, 3, "both touch"),
    // Files that an earlier line brought too.
    ("FROM busybox\nCOPY plain/f /d/\nCOPY plain /d\nRUN cat /d/f > /c", 3, 4, "assumed"),
    ("FROM busybox\nCOPY plain /d\nRUN cat /d/f > /c", 2, 3, "both touch /d"),
    ("FROM busybox\nCOPY a /d/f\nCOPY plain /d\nRUN cat /d/f > /c", 3, 4, "both touch /d"),
    ("FROM busybox\nCOPY plain/f /d/\nCOPY plain /d\nRUN echo >> /d/f", 3, 4, "both touch /d"),
    ("FROM busybox\nCOPY plain/f /d/\nCOPY plain /d\nRUN chmod 600 /d/f", 3, 4, "both touch /d"),
    ("FROM busybox\nCOPY plain/f /d/\nCOPY plain /d\nRUN ls -l /d/f > /c", 3, 4, "assumed"),
    ("FROM busybox\nCOPY a /d/\nCOPY plain /d\nRUN ls /d > /c", 3, 4, "both touch /d"),
    ("FROM busybox\nCOPY plain /d\nRUN mkdir /d/new", 2, 3, "both touch /d/new"),
    ("FROM busybox\nWORKDIR /d\nCOPY plain /d\nRUN mkdir /d/new", 3, 4, "assumed"),
    // A destination starts where it leads to once its variables are expanded.
    ("FROM busybox\nENV D=/d\nCOPY a $D/\nWORKDIR /w", 3, 4, "proven"),
    ("FROM busybox\nENV D=d\nCOPY a $D/\nWORKDIR /w", 3, 4, "relative to the working directory"),
    ("FROM busybox\nENV D=/d\nCOPY a \\$D/\nWORKDIR /w", 3, 4, "relative to the working directory"),
    ("FROM busybox\nCOPY a ${D:-x}/\nWORKDIR /w", 2, 3, "relative to the working directory"),
    ("FROM scratch\nWORKDIR /w\nCOPY a ${D:-/x}/", 2, 3, "proven"),
    ("FROM busybox\nWORKDIR /w\nCOPY a ${D:-/x}/", 2, 3, "relative to the working directory"),
    // The base image may set it.
    ("FROM busybox\nCOPY a $D/a\nWORKDIR /w", 2, 3, "relative to the working directory"),
    ("FROM busybox\nCOPY a /$D/a\nRUN find /srv > /q", 2, 3, "the base image decides where it writes"),
    ("FROM busybox\nWORKDIR $D\nCOPY a ./\nRUN cat /a > /q", 3, 4, "the base image decides where it writes"),
    ("FROM scratch\nCOPY a $D/a\nWORKDIR /w", 2, 3, "proven"),
    ("FROM busybox\nCOPY plain /d\nRUN mkdir /d/f", 2, 3, "both touch /d"),
    ("FROM busybox\nCOPY plain /d\nRUN test -d /d && touch /e", 2, 3, "both touch /d"),
    ("FROM busybox\nCOPY --from=alpine /x /d\nRUN mkdir /d/new", 2, 3, "both touch /d"),
    // Working directories.
    ("FROM busybox\nWORKDIR /w\nRUN rm -rf /w\nRUN echo x > /a", 3, 4, "one runs in /w"),
    ("FROM busybox\nWORKDIR /w\nCOPY plain /w\nRUN echo x > /a", 3, 4, "proven"),
    ("FROM busybox\nWORKDIR /w\nUSER app\nCOPY plain /w\nRUN echo x > /a", 4, 5, "assumed"),
    ("FROM busybox\nWORKDIR /w\nUSER app\nCOPY --link plain /w\nRUN echo x > /a", 4, 5, "one runs in /w"),
    ("FROM busybox\nUSER 1000\nRUN mkdir -p /tmp/x\nCOPY --chown=1000 a /tmp/x/", 3, 4, "which of them creates /tmp/x"),
];

#[test]
fn what_stands_around_a_pair_counts() {
    let mut wrong = Vec::new();
    for (text, first, second, expected) in FILES {
        let found = told(&between(text, *first, *second));
        if !found.contains(expected) {
            wrong.push(format!("{text}\n  expected {expected}\n  found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn settings_pass_each_other_where_neither_sees_the_other() {
    for (lines, relation) in [
        ("ARG A\nENV B=1", "proven"),
        (
            "ENV A=1\nENV B=1",
            "assumed: no program looks at the order of its variables",
        ),
        ("ENV A=1\nENV A=2", "both set one variable"),
        ("ARG A\nENV B=$A", "it expands a variable set there"),
        ("ENV B=$A\nARG A", "it expands a variable set there"),
        ("ARG A\nLABEL b=$A", "it expands a variable set there"),
        ("ARG A\nLABEL b=$B", "proven"),
        ("ARG A\nUSER ${A}", "it expands a variable set there"),
        ("LABEL a=1\nUSER b", "proven"),
        (
            "LABEL a=1\nLABEL a=2",
            "image configuration keeps its order",
        ),
        (
            "CMD a\nENTRYPOINT [\"b\"]",
            "image configuration keeps its order",
        ),
        (
            "SHELL [\"sh\", \"-c\"]\nCMD a",
            "image configuration keeps its order",
        ),
        ("SHELL [\"sh\", \"-c\"]\nLABEL a=1", "proven"),
        ("ENV A=1\nCMD echo $A", "proven"),
        (
            "ONBUILD RUN a\nLABEL a=1",
            "image configuration keeps its order",
        ),
    ] {
        let text = format!("FROM busybox\n{lines}\n");
        assert_eq!(told(&between(&text, 2, 3)), relation, "{lines}");
    }
}
