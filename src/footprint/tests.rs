//! One table of RUN lines: classes, opaque or not, what is read beside the system, what is written.

use super::*;

/// `/a/**` is the subtree, `/a` the path alone.
fn claims(text: &str) -> Vec<PathClaim> {
    let claim = |t: &str| match t.strip_suffix("/**") {
        Some(top) => PathClaim::subtree(top),
        None => PathClaim::exact(t),
    };
    text.split_whitespace().map(claim).collect()
}

fn state() -> RunState {
    let var = |n: &str, v: &str| (n.to_string(), v.to_string());
    RunState {
        cwd: Some("/app".into()),
        user: None,
        vars: vec![
            var("DIR", "/data"),
            var("PIP", "pip install"),
            var("EMPTY", ""),
            var("PKGS", "curl git"),
        ],
        homes: Vec::new(),
    }
}

fn shown(set: &PathSet) -> Vec<String> {
    set.claims
        .iter()
        .map(|c| match c.extent {
            Extent::Exact => c.path.clone(),
            Extent::Subtree => format!("{}/**", c.path),
        })
        .collect()
}

fn class_names(f: &Footprint) -> String {
    let names: Vec<&str> = f.classes.iter().map(|c| c.as_str()).collect();
    names.join(" ")
}

/// Writes of a whole system: too long for every row.
const SYSTEM: &str = "SYSTEM";

/// Script, classes, part of the reason (empty: not opaque), reads it must have, all its writes.
#[rustfmt::skip]
const LINES: &[(&str, &str, &str, &str, &str)] = &[
    // Built-in commands and coreutils.
    (":", "other", "", "/bin/sh", ""),
    ("true && echo hi || false", "other", "", "", ""),
    ("mkdir -p /a/b/c", "other", "", "/usr/bin/mkdir /usr/lib/** /etc/passwd/root", "/a /a/b /a/b/c"),
    ("mkdir x", "other", "", "/bin/mkdir", "/app/x"),
    ("mkdir -p /a/{b,c}", "other", "", "", "/a/**"),
    ("mkdir -p \"$DIR/x\" && touch $DIR/y", "other", "", "", "/data /data/x /data/y"),
    // Branches that are never taken are no work; what they would touch is claimed.
    ("if [ \"$DIR\" = /x ]; then touch /b && make -v; else mkdir /a; fi", "other", "", "", "/a /b"),
    ("[ -z \"$DIR\" ] && make", "other", "recipes of the project", "", ""),
    ("[ -n \"$DIR\" ] && make", "build", "recipes of the project", "", ""),
    ("[ -n \"$DIR\" ] || make", "other", "recipes of the project", "", ""),
    ("if test ! \"$DIR\" != /data && [ a == a ]; then make; else apt-get install x; fi", "build", "recipes of the project", "", SYSTEM),
    ("if [ \"$UNKNOWN\" = /x ]; then make; fi", "build", "recipes of the project", "", ""),
    ("if [ -f /x ]; then make; elif [ a = b ]; then apt-get install x; fi", "build", "recipes of the project", "", SYSTEM),
    ("if [[ abc == a* ]]; then :; else make; fi", "build", "recipes of the project", "", ""),
    ("cat /x && [ -n \"$DIR\" ] || make", "build", "recipes of the project", "", ""),
    ("cat /x || [ -z \"$DIR\" ] && make", "build", "recipes of the project", "", ""),
    ("cat /x && [ -z \"$DIR\" ] && make", "other", "recipes of the project", "", ""),
    ("if cat /x && [ -z \"$DIR\" ]; then make; fi", "other", "recipes of the project", "", ""),
    ("if cat /x && [ -n \"$DIR\" ]; then make; fi", "build", "recipes of the project", "", ""),
    ("false || make", "build", "recipes of the project", "", ""),
    ("true && false || make", "build", "recipes of the project", "", ""),
    ("LD_FLAGS=-s touch /a", "other", "", "", "/a"),
    ("LD_PRELOAD=/x touch /a", "other", "it sets LD_PRELOAD", "", "/a"),
    // A value that is several patterns is not one of them, nor of the folder of the first.
    ("G='*.txt /x/y'; rm -rf $G", "other", "a path is not known", "", ""),
    ("A='a b'; for d in p/*; do cat $d/$A; done", "other", "a path is not known", "", ""),
    ("A='a b'; for d in p/*; do cat \"$d/$A\"; done", "other", "", "/app/p/**", ""),
    // Loops over files: the folder is read, and one of its files in every round.
    ("for d in plugins/*; do if [ -f \"$d/list\" ]; then cat \"$d/list\"; fi; done", "other", "", "/app/plugins/**", ""),
    ("for d in plugins/*; do pip install -t /t -r $d/requirements.txt; done", "install", "", "/app/plugins/**", "/root/** /t/** /tmp/**"),
    ("for d in plugins/*; do d=/x$(cat y); cat \"$d/list\"; done", "other", "a path is not known", "", ""),
    ("for d in plugins/*; do read -r d; cat \"$d/list\"; done", "other", "a path is not known", "", ""),
    ("for d in plugins/*; do :; done; cat \"$d/list\"", "other", "a path is not known", "", ""),
    ("for d in plugins/*; do cat \"$d/../list\"; done", "other", "a path is not known", "", ""),
    ("pip install -r reqs/*.txt", "install", "a requirements file is not known", "", ""),
    ("mkdir -p $UNKNOWN/x", "other", "a path is not known", "", ""),
    ("touch /a/f", "other", "", "/a", "/a/f"),
    ("rm -rf /tmp/* /var/cache/x", "other", "", "", "/tmp/** /var/cache/x/**"),
    ("rm -rf ~/.cache", "other", "", "", "/root/.cache/**"),
    ("rm -rf -- \"$(cat /x)\"", "other", "a path is not known", "/x", ""),
    ("cp -a /src/. /dst", "other", "", "/src/**", "/dst/**"),
    ("cp -t /dst a b", "other", "", "/app/a/** /app/b/** /dst", "/dst/a/** /dst/b/**"),
    ("mv a /b", "other", "", "/app/a/**", "/app/a/** /b/**"),
    ("ln -s /a/b /c/d", "other", "", "/c", "/c/d/**"),
    ("ln -sf /x/name", "other", "", "", "/app/name/**"),
    ("chmod +x /e.sh && chmod -R 755 /d && chmod -x /f", "other", "", "", "/d/** /e.sh /f"),
    ("chown -R app:app /app", "other", "", "", "/app/**"),
    ("cat /a b > /c", "other", "", "/a /app/b", "/c"),
    ("echo x > /dev/null 2>&1", "other", "", "", ""),
    ("echo x >> \"$DIR/f\"", "other", "", "", "/data/f"),
    ("echo x > $NOPE", "other", "redirects", "", ""),
    ("echo x &> /f", "other", "&>", "", "/f"),
    ("cat > /f <<EOF\n$A\nEOF", "other", "", "", "/f"),
    ("ls", "other", "", "/app/**", ""),
    ("uname -a", "other", "", "/usr/bin/uname /bin/uname /lib/**", ""),
    ("date +%s > /stamp", "other", "", "", "/stamp"),
    ("cd /x && touch y && cd ../z && touch w", "other", "", "/x", "/x/y /z/w"),
    ("cd $NOPE; touch y", "other", "working directory", "", ""),
    ("[ -d /y ] && cd /x; touch w", "other", "working directory", "/y", ""),
    ("(cd /x && touch a); touch b", "other", "", "", "/app/b /x/a"),
    ("if [ -f /a ]; then touch /b; else rm /c; fi", "other", "", "/a", "/b /c/**"),
    ("for d in a b; do mkdir -p /x/$d; done", "other", "", "", "/x /x/a /x/b"),
    ("for d in $NOPE; do mkdir -p /x/$d; done", "other", "a path is not known", "", ""),
    ("while true; do X=1; done; touch /x$X", "other", "a path is not known", "", ""),
    ("D=/v; touch $D/a; D=/w; touch $D/b", "other", "", "", "/v/a /w/b"),
    ("export D=/v && touch $D/a", "other", "", "", "/v/a"),
    ("touch a | cd /x; touch b", "other", "working directory", "", "/app/a"),
    ("set -eux; umask 022; touch /x", "other", "", "", "/x"),
    ("find / -name x | grep y", "other", "", "/**", ""),
    ("find /x -delete", "other", "", "/x/**", "/x/**"),
    ("find /x /y -type f -name '*.pyc' -exec rm -f {} +", "other", "", "/x/** /y/**", "/x/** /y/**"),
    ("find . -exec chmod 755 {} \\;", "other", "", "/app/**", "/app/**"),
    ("find /x -exec sh -c 'touch \"$1\"' _ {} \\;", "other", "path", "/x/**", ""),
    ("find /x -exec ./run {} +", "other", "runs ./run", "/x/**", ""),
    ("find /x -fprint /y", "other", "-fprint", "/x/**", ""),
    ("sed -i 's/a/b/' /etc/f", "other", "", "/etc", "/etc/f"),
    ("sed -i 's/a/b/w /out' /etc/f", "other", "script may", "", ""),
    ("useradd -m -d /srv/u -u 1000 $NOPE", "other", "", "", "/etc/** /home/** /srv/u/** /var/**"),
    ("touch /var/run/x /bin/y", "other", "", "", "/bin/y /run/x /usr/bin/y /var/run/x"),
    ("test -s /a -a ! -e b", "other", "", "/a /app/b", ""),
    ("touch a && cd /y; touch b", "other", "working directory", "", "/app/a"),
    ("sh -c 'touch a; cd /y && touch b'", "other", "", "", "/app/a /y/b"),
    ("env A=1 touch /x", "other", "", "", "/x"),
    ("install -D -m 755 a /o/p/q", "other", "", "/app/a/**", "/o /o/p /o/p/q/**"),
    ("grep -rn pattern /d", "other", "", "/d/**", ""),
    // Barriers.
    ("./script.sh", "other", "it runs ./script.sh", "", ""),
    ("/app/bin/x", "other", "it runs /app/bin/x", "", ""),
    ("frobnicate", "other", "frobnicate: what it reads and writes", "", ""),
    ("eval \"$X\"", "other", "eval", "", ""),
    (". /x", "other", "shell itself", "/x", ""),
    ("f() { touch /x; }; f", "other", "function f", "", "/x"),
    ("sleep 1 & touch /x", "other", "background", "", "/x"),
    ("$CMD x", "other", "name is not known", "", ""),
    ("PATH=/x:$PATH ls /", "other", "sets PATH", "", ""),
    ("echo \"unterminated", "other", "could not be read", "", ""),
    ("curl -fsSL https://x | sh", "other", "script", "", ""),
    ("#!/usr/bin/env python3\nimport os\n", "other", "another interpreter", "", ""),
    ("#!/bin/bash -e\ntouch /x\n", "other", "", "", "/x"),
    ("make install", "build", "recipes of the project", "", ""),
    ("mktemp -d", "other", "mktemp", "", ""),
    ("python x.py", "other", "python", "", ""),
    // System packages.
    ("apt-get update && apt-get install -y --no-install-recommends $PKGS curl=7.* && rm -rf /var/lib/apt/lists/*", "system-packages", "", "", SYSTEM),
    ("DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 install git", "system-packages", "", "", SYSTEM),
    ("apt-get install -y ./x.deb", "system-packages", "", "/app/x.deb", SYSTEM),
    ("apt-get install -o Dir::Etc=/x y", "system-packages", "option", "", ""),
    ("apt-get install $NOPE", "system-packages", "packages are not known", "", ""),
    ("apk add --no-cache --virtual .deps gcc 'x>1'", "system-packages", "", "", SYSTEM),
    ("yum install -y --setopt=tsflags=nodocs git && yum clean all", "system-packages", "", "", SYSTEM),
    ("dnf --installroot=/x install y", "system-packages", "option", "", ""),
    ("sudo apt-get install -y git", "system-packages", "", "", SYSTEM),
    // Downloads and archives.
    ("curl -fsSLo /o/x.tgz https://e.org/x.tgz && tar xzf /o/x.tgz -C /o --strip-components=1", "other", "", "/root/.curlrc", "/o/**"),
    ("curl -O https://e.org/a/x.tgz?y=1", "other", "", "", "/app/x.tgz"),
    ("curl -d @/f https://e.org", "other", "send a file", "", ""),
    ("wget -qO- https://e.org/x | tar -xJ -C /opt", "other", "", "", "/opt/** /root/.wget-hsts"),
    ("wget https://e.org/x", "other", "", "", "/app/** /root/.wget-hsts"),
    ("unzip -q a.zip -d /z", "other", "", "/app/a.zip", "/z/**"),
    // Language packages.
    ("npm ci --omit=dev", "install", "", "/app/package.json /app/package-lock.json /app/npm-shrinkwrap.json /app/.npmrc /root/.npmrc", "/app/node_modules/** /root/.cache/** /root/.npm/** /tmp/**"),
    ("npm install", "install", "", "/app/package.json", "/app/node_modules/** /app/package-lock.json /root/.cache/** /root/.npm/** /tmp/**"),
    ("npm install -g pnpm@9 @x/y", "install", "", "", "/opt/** /root/.cache/** /root/.npm/** /tmp/** /usr/bin/** /usr/lib/** /usr/local/**"),
    ("npm install ../lib", "install", "local package", "", ""),
    ("npm run build", "build", "`build`", "", "/app/** /root/** /tmp/** /var/tmp/**"),
    ("npm ci && npm run build", "install build", "`build`", "", "/app/** /root/** /tmp/** /var/tmp/**"),
    ("yarn install --frozen-lockfile && yarn build", "install build", "yarn: what `build`", "/app/yarn.lock", "/app/** /root/** /tmp/** /var/tmp/**"),
    ("pip install --no-cache-dir -r requirements.txt -c c.txt", "install", "", "/app/requirements.txt /app/c.txt", "/etc/** /opt/** /root/** /tmp/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** /var/tmp/**"),
    ("$PIP flask uvicorn[standard]", "install", "", "", "/etc/** /opt/** /root/** /tmp/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** /var/tmp/**"),
    ("pip install --target /deps flask", "install", "", "", "/deps/** /root/** /tmp/**"),
    ("pip install .[dev]", "install", "", "/app/**", "/app/** /etc/** /opt/** /root/** /tmp/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** /var/tmp/**"),
    ("python3 -m pip install -U pip", "install", "", "", "/etc/** /opt/** /root/** /tmp/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** /var/tmp/**"),
    ("go mod download", "install", "", "/app/go.mod /app/go.sum", "/app/go.sum /go/** /root/** /tmp/** /var/tmp/**"),
    ("go generate ./...", "light-build", "go:", "", ""),
];

#[test]
fn lines_have_their_footprints() {
    for (script, classes, reason, reads, writes) in LINES {
        let f = of_script(script, &state());
        assert_eq!(class_names(&f), *classes, "classes of {script}");
        let opaque = f.opaque.clone().unwrap_or_default();
        assert!(opaque.contains(reason), "{script}: `{opaque}`");
        assert_eq!(
            reason.is_empty(),
            f.opaque.is_none(),
            "{script}: `{opaque}`"
        );
        let read = f.reads.union(&f.programs);
        for claim in claims(reads) {
            let covered = read.claims.iter().any(|c| c.covers(&claim));
            assert!(covered, "{script}: {claim:?} in {:?}", shown(&read));
        }
        let expected = match *writes {
            SYSTEM => SYSTEM_WRITES
                .iter()
                .copied()
                .map(PathClaim::subtree)
                .collect(),
            text => claims(text),
        };
        let changes = f.changes();
        assert_eq!(
            changes.claims,
            expected,
            "changes of {script}: {:?}",
            shown(&changes)
        );
    }
}

/// Classes alone, where the paths do not matter or are not known.
#[rustfmt::skip]
const CLASSES: &[(&str, &str)] = &[
    ("if [ \"$B\" = 1 ]; then npm run build; fi", "build"),
    ("sh -c 'apt-get install -y x && make -j4'", "system-packages build"),
    ("bash -exc \"pip install $X\"", "install"),
    ("CGO_ENABLED=0 go build -o /x .", "build"),
    ("sudo -u app npm ci", "install"),
    ("corepack enable && corepack yarn install", "install"),
    ("corepack enable", "other"),
    ("npx --yes vite@5 build", "build"),
    ("npx prisma generate", "light-build"),
    ("$SUDO apt-get install x", "system-packages"),
    ("$PYTHON -m pip install x", "install"),
    ("poetry run python manage.py collectstatic --noinput", "light-build"),
    ("bundle install && bundle exec rake assets:precompile", "install build"),
    ("./mvnw -B dependency:go-offline", "install"),
    ("mvn -B package -DskipTests", "build"),
    ("./gradlew build -x test --no-daemon", "build"),
    ("gradle dependencies", "install"),
    ("gradle -x build help", "other"),
    ("cargo fetch --locked", "install"),
    ("cargo +nightly build --release", "build"),
    ("cargo chef prepare --recipe-path r.json", "other"),
    ("cargo chef cook --release", "build"),
    ("dotnet restore x.csproj && dotnet publish -c Release", "install build"),
    ("mix do deps.get, deps.compile", "install build"),
    ("composer install --no-dev", "install"),
    ("php composer.phar install", "install"),
    ("yarn", "install"),
    ("yarn --version", "other"),
    ("yarn cache clean", "other"),
    ("yarn workspace web build", "build"),
    ("pnpm --filter web build", "build"),
    ("pnpm fetch", "install"),
    ("pip install --no-deps -e .", "light-build"),
    ("pip install --no-deps -r r.txt", "install"),
    ("uv sync --frozen", "install"),
    ("uv pip install -r r.txt", "install"),
    ("conda env create -f e.yml", "install"),
    ("./configure && make && make install", "build"),
    ("cmake -B b && cmake --build b", "build"),
    ("make clean", "other"),
    ("gcc-12 -o x x.c", "build"),
    ("apt-get update", "other"),
    ("apk upgrade", "system-packages"),
    ("pacman -Syu --noconfirm x", "system-packages"),
    ("pacman -Scc", "other"),
    ("f() { make; }; f", "build"),
    ("x=$(npm ci)", "install"),
    ("xargs -n 1 pip install < /r", "install"),
    ("case a in b) make;; esac", "build"),
    ("npm ci \"unterminated", "install"),
    ("sbt update assembly", "install build"),
    ("timeout 60 npm ci", "install"),
    ("gosu app npm ci", "install"),
    ("su app -c 'npm ci'", "install"),
    ("docker-php-ext-install pdo", "build"),
    ("ls && npm --prefix web ci", "install"),
    ("env -u X make", "build"),
    ("eval npm ci", "install"),
];

#[test]
fn classes_are_found_behind_everything() {
    for (script, classes) in CLASSES {
        let f = of_script(script, &state());
        assert_eq!(class_names(&f), *classes, "classes of {script}");
    }
}

#[test]
fn exec_form_runs_programs_without_a_shell() {
    let argv = |words: &[&str]| words.iter().map(|w| (*w).to_string()).collect::<Vec<_>>();
    let f = of_exec(&argv(&["touch", "/a b", "$DIR"]), &state());
    assert_eq!(f.opaque, None);
    assert_eq!(
        f.writes.claims,
        [PathClaim::exact("/a b"), PathClaim::exact("/app/$DIR")]
    );
    let f = of_exec(&argv(&["/bin/sh", "-c", "npm ci"]), &state());
    assert_eq!(
        (class_names(&f).as_str(), f.opaque.as_deref()),
        ("install", None)
    );
    assert!(of_exec(&argv(&["cd", "/x"]), &state()).opaque.is_some());
    assert!(of_exec(&[], &state()).opaque.is_some());
}

#[test]
fn certainty_and_uses_follow_from_the_commands() {
    let exact = of_script("mkdir -p /a && echo x > /a/b", &state());
    assert_eq!(exact.certainty, Certainty::Exact);
    let f = of_script("cd web && npm ci --ignore-scripts", &state());
    assert_eq!(f.certainty, Certainty::Assumed);
    assert!(f.network && f.assumptions.len() == 1);
    let npm = &f.uses[0];
    assert_eq!(
        (npm.tool.as_str(), npm.dir.as_deref()),
        ("npm", Some("/app/web"))
    );
    assert_eq!(
        npm.arguments.as_deref(),
        Some(&["ci".to_string(), "--ignore-scripts".to_string()][..])
    );
    assert!(
        npm.described
            && npm
                .writes
                .contains(&PathClaim::subtree("/app/web/node_modules"))
    );
    assert_eq!(f.commands, ["cd", "npm"]);
    let f = of_script("npm run build && go build $(x) && ls", &state());
    let uses: Vec<_> = f
        .uses
        .iter()
        .map(|u| (u.tool.as_str(), u.arguments.is_some(), u.described))
        .collect();
    assert_eq!(uses, [("npm", true, true), ("go", false, false)]);
    assert!(!f.builds, "go is not known");
    let f = of_script("npm ci && npm run build", &state());
    assert!(f.builds && f.opaque.is_some());
}

#[test]
fn the_state_decides() {
    let with = |cwd: Option<&str>, user: Option<&str>, vars: &[(&str, &str)]| RunState {
        cwd: cwd.map(str::to_string),
        user: user.map(str::to_string),
        vars: vars
            .iter()
            .map(|(n, v)| ((*n).to_string(), (*v).to_string()))
            .collect(),
        homes: Vec::new(),
    };
    for (script, state, reason) in [
        ("touch x", with(None, None, &[]), Some("directory")),
        ("touch /x", with(None, None, &[]), None),
        ("touch ~/x", with(None, Some("app"), &[]), Some("path")),
        ("touch ~/x", with(None, Some("0:0"), &[]), None),
        ("npm ci", with(Some("/a"), Some("node"), &[]), None),
        ("npm ci", with(Some("/a"), Some("1000"), &[]), Some("home")),
        (
            "npm ci",
            with(Some("/a"), None, &[("NPM_CONFIG_PREFIX", "/x")]),
            Some("NPM_CONFIG_PREFIX"),
        ),
        (
            "npm ci",
            with(Some("/a"), None, &[("NPM_CONFIG_LOGLEVEL", "warn")]),
            None,
        ),
        (
            "pip install x",
            with(Some("/a"), None, &[("PIP_TARGET", "/x")]),
            Some("PIP_TARGET"),
        ),
        (
            "ls /",
            with(None, None, &[("PATH", "bin:/usr/bin")]),
            Some("relative entry"),
        ),
    ] {
        let f = of_script(script, &state);
        match reason {
            None => assert_eq!(f.opaque, None, "{script} {state:?}"),
            Some(r) => assert!(
                f.opaque.clone().unwrap_or_default().contains(r),
                "{script} {f:?}"
            ),
        }
    }
    let f = of_script(
        "pip install x",
        &with(None, None, &[("PATH", "/venv/bin:$PATH")]),
    );
    assert!(f.writes.claims.contains(&PathClaim::subtree("/venv")));
    assert!(
        f.programs
            .claims
            .contains(&PathClaim::exact("/venv/bin/pip"))
    );
}

#[test]
fn nothing_is_taken_back_by_later_commands() {
    let quiet = [
        "gpg --import k",
        "composer clear-cache",
        "uv cache clean",
        "mvn -o compile",
        "gradle --offline jar",
        "bundle install --local",
        "dpkg -l",
        "touch /x",
    ];
    for later in quiet {
        assert!(!of_script(later, &state()).network, "{later}");
        let f = of_script(&format!("curl https://e.org && {later}"), &state());
        assert!(f.network && f.opaque.is_none(), "{later}: {:?}", f.opaque);
    }
}

#[test]
fn steps_commute_only_without_shared_paths() {
    let f = |script: &str| of_script(script, &state());
    let commute = |a: &str, b: &str| {
        let (a, b) = (f(a), f(b));
        let needs = |f: &Footprint| f.reads.union(&f.programs);
        a.changes().overlaps(&b.changes()).is_none()
            && a.changes().overlaps(&needs(&b)).is_none()
            && needs(&a).overlaps(&b.changes()).is_none()
    };
    assert!(commute("mkdir -p /a/b", "mkdir -p /c"));
    assert!(commute("npm ci", "mkdir -p /x"));
    assert!(commute("echo x > /x", "npm ci"));
    assert!(!commute("echo x > /x", "apt-get install -y git"));
    assert!(!commute("uname -a", "apt-get install -y git"));
    assert!(!commute("mkdir -p /a/b", "touch /a/b/c"));
    assert!(!commute("rm -rf /a", "touch /a/b"));
    assert!(!commute("touch /bin/x", "ls /usr/bin"));
    assert!(!commute("npm ci", "npm install"));
}

#[test]
fn evidence_lies_in_the_script() {
    let script = "echo hi && touch /a && sh -c 'touch /b' > /c";
    let f = of_script(script, &state());
    let pieces: Vec<&str> = f.evidence.iter().map(|s| &script[s.span.range()]).collect();
    assert_eq!(pieces, ["touch /a", "sh -c 'touch /b' > /c", "> /c"]);
}

#[test]
fn class_names_round_trip() {
    for class in Class::ALL {
        assert_eq!(class.as_str().parse(), Ok(class));
    }
    assert!("builds".parse::<Class>().is_err());
}

proptest::proptest! {
    #[test]
    fn any_script_has_a_footprint(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "a", " ", "\n", ";", " && ", " | ", "(", ")", "{ ", "; }", "$(", "\"", "'", "cd ", "/x", "touch ",
        "for i in a b; do ", "; done", "if ", "; then ", "; fi", "$i", "*", "..", "env ", "sudo ", "sh -c ",
        "npm ci", "pip install ", "-r", "> ", "X=", "sed -i ", "tar ", "find ", "-", "--", "curl -O ",
    ]), 0..30)) {
        let f = of_script(&pieces.concat(), &state());
        assert!(!f.classes.is_empty());
        for claim in f.reads.claims.iter().chain(&f.writes.claims) {
            assert!(claim.path.starts_with('/') && !claim.path.contains("//"));
            assert!(claim.path == "/" || !claim.path.ends_with('/'));
        }
    }
}

#[test]
fn long_chains_are_bounded() {
    for script in [
        "sudo env ".repeat(5000) + "ls",
        "command ".repeat(5000) + "ls",
        "for i in 1 2 3 4 5 6 7 8 9 0; do ".repeat(12) + "touch /x" + &"; done".repeat(12),
        "touch /x && ".repeat(5000) + "true",
    ] {
        assert!(of_script(&script, &state()).opaque.is_some());
    }
}

#[test]
fn a_script_that_starts_a_build_is_open_as_the_build_is() {
    let f = of_script("/tmp/with-secrets.sh pnpm build --filter=web", &state());
    assert!(f.builds && f.opaque.is_some());
    let wrappers: Vec<_> = f.uses.iter().map(|u| u.wrapper.as_deref()).collect();
    assert_eq!(wrappers, [Some("/tmp/with-secrets.sh")]);
    for script in [
        "/tmp/with-secrets.sh make",
        "/tmp/with-secrets.sh pnpm install",
        "/tmp/with-secrets.sh",
        "make && pnpm build",
        "pnpm build && make",
    ] {
        let f = of_script(script, &state());
        assert!(!f.builds && f.opaque.is_some(), "{script}");
    }
}
