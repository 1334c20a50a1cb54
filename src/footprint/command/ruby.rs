//! bundler and gem.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common};

#[rustfmt::skip]
const BUNDLE: Spec = Spec {
    letters: "Vf",
    letters_with_value: "j",
    names: &[
        "deployment", "frozen", "local", "quiet", "system", "no-cache", "full-index", "clean",
        "prefer-local", "no-prune", "redownload", "force", "verbose", "no-color", "all", "global",
        "dry-run", "no-install", "all-platforms", "cache-all", "conservative",
    ],
    names_with_value: &[
        "jobs", "retry", "without", "with", "path", "gemfile", "trust-policy",
    ],
};

#[rustfmt::skip]
const GEM: Spec = Spec {
    letters: "NVqfEaxI",
    letters_with_value: "vins",
    names: &[
        "no-document", "no-ri", "no-rdoc", "force", "conservative", "user-install",
        "no-user-install", "no-verbose", "quiet", "silent", "system", "verbose", "pre",
        "prerelease", "env-shebang", "no-format-executable", "clear-sources", "minimal-deps",
        "remote", "all", "executables", "ignore-dependencies", "no-update-sources",
        "no-http-proxy",
    ],
    names_with_value: &[
        "version", "install-dir", "bindir", "source", "platform", "add", "remove", "without",
    ],
};

/// Where distributions, images and version managers keep gems.
#[rustfmt::skip]
const GEMS: &[&str] = &[
    "/usr/local", "/usr/lib", "/usr/share", "/usr/bin", "/var/lib/gems", "/opt",
];

/// Settings that change nothing that counts.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "BUNDLE_ALLOW_OFFLINE_INSTALL", "BUNDLE_CLEAN", "BUNDLE_DEPLOYMENT",
    "BUNDLE_DISABLE_CHECKSUM_VALIDATION", "BUNDLE_FORCE_RUBY_PLATFORM", "BUNDLE_FROZEN",
    "BUNDLE_IGNORE_MESSAGES", "BUNDLE_JOBS", "BUNDLE_NO_CACHE", "BUNDLE_NO_PRUNE", "BUNDLE_ONLY",
    "BUNDLE_PATH_RELATIVE_TO_CWD", "BUNDLE_PREFER_PATCH", "BUNDLE_RETRY",
    "BUNDLE_SILENCE_ROOT_WARNING", "BUNDLE_SPECIFIC_PLATFORM", "BUNDLE_TIMEOUT", "BUNDLE_VERSION",
    "BUNDLE_WITH", "BUNDLE_WITHOUT", "BUNDLE_GITHUB__HTTPS", "BUNDLE_SSL_VERIFY_MODE",
];

#[rustfmt::skip]
const PLACES: &[&str] = &[
    "BUNDLE_APP_CONFIG", "BUNDLE_BIN", "BUNDLE_CACHE_PATH", "BUNDLE_PATH", "BUNDLE_USER_CACHE",
    "BUNDLE_USER_CONFIG", "BUNDLE_USER_HOME", "BUNDLE_USER_PLUGIN", "GEM_HOME", "GEM_SPEC_CACHE",
    "RBENV_ROOT",
];

fn is_unclear(name: &str) -> bool {
    // A host's or a gem's own setting has two underscores.
    let own = name.contains("__") && !name.starts_with("BUNDLE_LOCAL__");
    (name.starts_with("BUNDLE_")
        && !own
        && name != "BUNDLE_GEMFILE"
        && !HARMLESS.contains(&name)
        && !PLACES.contains(&name))
        || matches!(name, "RUBYLIB" | "RUBYGEMS_GEMDEPS" | "GEMRC")
}

/// What both touch beside a project.
fn own_files(call: &mut Call<'_>) -> Described {
    call.refuse(is_unclear)?;
    if call.setting("RUBYOPT")?.is_some_and(|v| {
        v.split_whitespace()
            .any(|o| !o.starts_with("-W") && !o.starts_with("--yjit"))
    }) {
        return Err("RUBYOPT is set".to_string());
    }
    call.tool(&[".gem", ".gemrc", ".bundle", ".rbenv", ".rvm"])?;
    call.moved(PLACES)?;
    if let Some(path) = call.setting("GEM_PATH")? {
        for one in path.split(':').filter(|p| !p.is_empty()) {
            call.keep_in(one)?;
        }
    }
    for place in GEMS {
        call.claims.read(Extent::Subtree, *place);
        call.claims.write(Extent::Subtree, *place);
    }
    for root in call.roots()? {
        call.claims.write(Extent::Subtree, root);
    }
    let name = call.name;
    call.claims.assume(format!(
        "{name} and extensions that gems build touch only {}, GEM_HOME, the home directory, the environments \
         in PATH and /tmp",
        GEMS.join(", ")
    ));
    Ok(())
}

/// Describes bundler.
pub(super) fn bundle(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let configures = call.arguments.first().and_then(Argument::known) == Some("config");
    if configures {
        return config(call);
    }
    let parsed = parse(call.arguments, &BUNDLE)?;
    common::no_values(&parsed, BUNDLE.names)?;
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        // `--without a b` takes more than one name.
        ["install", ..] if parsed.has(&["without", "with"]) => {
            call.claims.network |= !parsed.has(&["local"]);
            project(call, &parsed)?;
            lock(call, &parsed)
        }
        [] | ["install"] | ["update"] | ["package" | "cache"] | ["pack"] => {
            call.claims.network |= !parsed.has(&["local"]);
            project(call, &parsed)?;
            // A lock file that fits is left alone.
            lock(call, &parsed)
        }
        ["check" | "clean"] => project(call, &parsed),
        ["lock"] => {
            call.claims.network |= !parsed.has(&["local"]);
            project(call, &parsed)?;
            lock(call, &parsed)
        }
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
    }
}

fn gemfile(call: &Call<'_>, parsed: &Parsed) -> Result<String, String> {
    let named = match parsed.values(&["gemfile"]).last() {
        Some(file) => Some(file.known().ok_or("the Gemfile is not known")?.to_string()),
        None => call.setting("BUNDLE_GEMFILE")?,
    };
    call.resolve(&named.unwrap_or_else(|| "Gemfile".to_string()))
}

fn lock(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    let gemfile = gemfile(call, parsed)?;
    call.claims.write(Extent::Exact, format!("{gemfile}.lock"));
    let directory = gemfile.rsplit_once('/').map_or("", |(d, _)| d).to_string();
    call.write_upwards(&directory, &["Gemfile.lock", "gems.locked"], Extent::Exact);
    Ok(())
}

fn project(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    own_files(call)?;
    let gemfile = gemfile(call, parsed)?;
    call.claims.read(Extent::Exact, format!("{gemfile}.lock"));
    call.claims.read(Extent::Exact, gemfile.clone());
    let directory = gemfile.rsplit_once('/').map_or("", |(d, _)| d).to_string();
    let directory = if directory.is_empty() {
        "/".to_string()
    } else {
        directory
    };
    let files = [
        "Gemfile",
        "Gemfile.lock",
        "gems.rb",
        "gems.locked",
        ".ruby-version",
        ".tool-versions",
    ];
    call.read_upwards(&directory, &files);
    let here = call.directory()?.to_string();
    call.read_files(&here, &[".ruby-version", ".tool-versions"]);
    call.read_upwards(&directory, &[".bundle/config"]);
    call.keep_in_tree(&directory);
    call.keep_in_tree(&here);
    call.keep_in_values(parsed, &["path"])?;
    call.claims.assume(
        "the Gemfile reads only files of the project, names no gem outside of it, and bundler's settings \
         keep gems in the project or where gem keeps them",
    );
    Ok(())
}

/// `bundle config [set] [--global|--local] key value`
fn config(call: &mut Call<'_>) -> Described {
    let words: Vec<&str> = call
        .arguments
        .iter()
        .skip(1)
        .map(Argument::start)
        .filter(|w| !matches!(*w, "set" | "unset" | "--global" | "--local" | "--delete"))
        .collect();
    let Some(key) = words.first().filter(|k| !k.starts_with('-')) else {
        return Err("the setting is not known".to_string());
    };
    let plain = [
        "deployment",
        "without",
        "with",
        "frozen",
        "jobs",
        "retry",
        "silence_root_warning",
        "no-cache",
        "force_ruby_platform",
        "clean",
        "specific_platform",
        "timeout",
        "no_prune",
        "gem.coc",
        "only",
        "disable_checksum_validation",
        "build.nokogiri",
        "build.sassc",
        "build.pg",
        "build.eventmachine",
    ];
    let vendored = matches!(*key, "path" | "cache_path")
        && matches!(
            words.get(1),
            Some(&"vendor/bundle" | &"vendor/cache" | &"/usr/local/bundle")
        );
    if !plain.contains(key)
        && !vendored
        && !key.contains("://")
        && !key.ends_with(".com")
        && !key.ends_with(".org")
    {
        return Err("the setting is not known".to_string());
    }
    call.refuse(is_unclear)?;
    call.tool(&[".bundle"])?;
    call.moved(&[
        "BUNDLE_APP_CONFIG",
        "BUNDLE_USER_CONFIG",
        "BUNDLE_USER_HOME",
    ])?;
    let directory = call.directory()?.to_string();
    call.read_upwards(&directory, &["Gemfile", "gems.rb"]);
    call.write_upwards(&directory, &[".bundle"], Extent::Subtree);
    call.claims.assume(
        "bundler's settings are below the project, the home directory or /usr/local/bundle",
    );
    // The images of Ruby have it there.
    call.keep_in("/usr/local/bundle")
}

/// Describes gem.
pub(super) fn gem(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let parsed = parse(call.arguments, &GEM)?;
    common::no_values(&parsed, GEM.names)?;
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        ["install" | "i", gems @ ..] if !gems.is_empty() => {
            for gem in gems {
                if gem.ends_with(".gem") || gem.contains('/') {
                    call.read(&Argument::Known((*gem).to_string()), Extent::Exact)?;
                }
            }
            if gems.iter().any(|g| g.contains(['*', '?'])) {
                return Err("which gems it installs is not known".to_string());
            }
            call.claims.network = true;
            call.claims.assume(
                "no file of the working directory is a gem of the names that are installed",
            );
        }
        ["update", ..] => call.claims.network = true,
        ["cleanup" | "uninstall", ..] => {}
        ["sources"] => call.claims.network = true,
        ["list" | "env" | "environment", ..] => {}
        [sub, ..] => return Err(format!("what `{sub}` does is not known")),
        [] => return Err("the subcommand is not known".to_string()),
    }
    own_files(call)?;
    call.keep_in_values(&parsed, &["i", "install-dir", "n", "bindir"])
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    const GEMS: &str =
        "/opt/** /root/** /usr/bin/** /usr/lib/** /usr/local/** /usr/share/** /var/lib/gems/** tmp";
    const APP: &str = " /app/**";

    #[rustfmt::skip]
    const LINES: &[(&str, &str, &[&str])] = &[
        ("bundle install --jobs 4 --retry 3 --without development test", "net /app/Gemfile /app/Gemfile.lock /app/.bundle/config /app/.ruby-version", &[APP]),
        ("bundle install -j4", "net /app/gems.rb", &[APP]),
        ("bundle", "net", &[APP]),
        ("bundle install --local --path /gems", "/gems/**", &[APP, " /gems/**"]),
        ("BUNDLE_PATH=/b BUNDLE_WITHOUT=test bundle install", "net /b/**", &[APP, " /b/**"]),
        ("BUNDLE_GEMFILE=g/Gemfile bundle check", "/app/g/Gemfile /app/g/Gemfile.lock", &[APP]),
        ("gem install bundler:2.4.1 rails -v 7 --no-document", "net", &[]),
        ("gem install ./x.gem --install-dir /i", "net /app/x.gem /i/**", &[" /i/**"]),
        ("gem update --system 3.4 --no-document", "net", &[]),
        ("GEM_HOME=/g gem install x", "net /g/**", &[" /g/**"]),
    ];

    #[rustfmt::skip]
    const OTHERS: &[Line] = &[
        ("bundle config set --local without 'development test'", "", "/app/Gemfile", "/app/.bundle/** /root/** /usr/local/bundle/** tmp"),
        ("bundle config path vendor/bundle", "", "", "/app/.bundle/** /root/** /usr/local/bundle/** tmp"),
        ("bundle config set path /x", "setting", "", ""),
        ("bundle config local.x /y", "setting", "", ""),
        ("bundle exec rake x", "`exec`", "", ""),
        ("bundle install --frob", "option --frob", "", ""),
        ("bundle install --path $X", "a directory is not known", "", ""),
        ("BUNDLE_LOCAL__X=/y bundle install", "BUNDLE_LOCAL__X is set", "", ""),
        ("RUBYOPT=-r/x bundle", "RUBYOPT is set", "", ""),
        ("RUBYLIB=/x gem install y", "RUBYLIB is set", "", ""),
        ("gem build x.gemspec", "`build`", "", ""),
        ("gem install $X", "argument $", "", ""),
        ("gem --version", "", "", ""),
    ];

    #[test]
    fn ruby_has_its_footprints() {
        for (script, reads, more) in LINES {
            let writes: &'static str = format!("{GEMS}{}", more.concat()).leak();
            check(&[(script, "", reads, writes)]);
        }
        check(OTHERS);
    }
}
