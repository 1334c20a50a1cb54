//! Composer. Its plugins and the project's scripts write beside `vendor`, and the autoloader is made from
//! a look at the sources, so only options that switch those off keep it to `vendor`.

use super::super::Extent;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common};

#[rustfmt::skip]
const COMPOSER: Spec = Spec {
    letters: "noqvaWV",
    letters_with_value: "d",
    names: &[
        "no-dev", "dev", "no-scripts", "no-autoloader", "no-plugins", "no-progress",
        "no-interaction", "no-ansi", "ansi", "no-suggest", "no-cache", "no-install", "no-audit",
        "prefer-dist", "prefer-source", "prefer-stable", "optimize", "optimize-autoloader",
        "classmap-authoritative", "apcu", "apcu-autoloader", "ignore-platform-reqs", "quiet",
        "verbose", "strict-psr", "global", "with-all-dependencies", "with-dependencies",
        "no-update", "update-no-dev", "no-check-publish", "sort-packages", "stable", "1", "2",
        "profile", "minimal-changes", "lock",
    ],
    names_with_value: &["working-dir", "ignore-platform-req", "prefer-install"],
};

#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "COMPOSER_ALLOW_SUPERUSER", "COMPOSER_ALLOW_XDEBUG", "COMPOSER_AUTH", "COMPOSER_DEBUG_EVENTS",
    "COMPOSER_DISABLE_NETWORK", "COMPOSER_DISABLE_XDEBUG_WARN", "COMPOSER_DISCARD_CHANGES",
    "COMPOSER_FUND", "COMPOSER_HTACCESS_PROTECT", "COMPOSER_IGNORE_PLATFORM_REQ",
    "COMPOSER_IGNORE_PLATFORM_REQS", "COMPOSER_MAX_PARALLEL_HTTP", "COMPOSER_MEMORY_LIMIT",
    "COMPOSER_MIRROR_PATH_REPOS", "COMPOSER_NO_AUDIT", "COMPOSER_NO_DEV",
    "COMPOSER_NO_INTERACTION", "COMPOSER_PREFER_STABLE", "COMPOSER_PROCESS_TIMEOUT",
    "COMPOSER_ROOT_VERSION", "COMPOSER_VERSION",
];

const PLACES: &[&str] = &[
    "COMPOSER_BIN_DIR",
    "COMPOSER_CACHE_DIR",
    "COMPOSER_HOME",
    "COMPOSER_VENDOR_DIR",
];

/// Describes composer.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let parsed = parse(call.arguments, &COMPOSER)?;
    common::no_values(&parsed, COMPOSER.names)?;
    call.refuse(|n| n.starts_with("COMPOSER_") && !HARMLESS.contains(&n) && !PLACES.contains(&n))?;
    // The name of the manifest.
    call.refuse(|n| matches!(n, "COMPOSER" | "PHPRC" | "PHP_INI_SCAN_DIR"))?;
    let directory = call.directory_of(&parsed, &["d", "working-dir"])?;
    let online = call.claims.network;
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        ["install" | "i"] => project(call, &parsed, &directory, false),
        ["update" | "u", ..] => project(call, &parsed, &directory, true),
        ["require" | "remove", packages @ ..] if !packages.is_empty() => {
            project(call, &parsed, &directory, true)?;
            call.claims.write(
                Extent::Exact,
                format!("{}/composer.json", directory.trim_end_matches('/')),
            );
            Ok(())
        }
        ["dump-autoload" | "dumpautoload" | "dump"] => {
            project(call, &parsed, &directory, false)?;
            call.claims.network = online;
            Ok(())
        }
        ["global", "require" | "install" | "update", ..] => own_files(call),
        ["clear-cache" | "clearcache" | "cc"] => {
            own_files(call)?;
            call.claims.network = online;
            Ok(())
        }
        ["self-update" | "selfupdate", ..] => {
            own_files(call)?;
            call.claims.write_all(&["/usr/bin", "/usr/local/bin"]);
            call.claims
                .assume("composer is in /usr/bin or /usr/local/bin");
            Ok(())
        }
        ["validate" | "check-platform-reqs" | "diagnose", ..] => {
            own_files(call)?;
            call.read_tree(&directory);
            Ok(())
        }
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
        [] => Err("the subcommand is not known".to_string()),
    }
}

/// Its home, caches and global packages.
fn own_files(call: &mut Call<'_>) -> Described {
    call.claims.network = true;
    call.tool(&[".composer"])?;
    call.moved(PLACES)?;
    call.claims.assume(
        "composer's own files are below the home directory, COMPOSER_HOME, COMPOSER_CACHE_DIR or /tmp, and \
         its plugins write only there and into the project",
    );
    Ok(())
}

fn project(call: &mut Call<'_>, parsed: &Parsed, directory: &str, changes: bool) -> Described {
    own_files(call)?;
    let top = directory.trim_end_matches('/').to_string();
    let files = [
        "composer.json",
        "composer.lock",
        "auth.json",
        "symfony.lock",
    ];
    call.read_upwards(directory, &files);
    if changes {
        call.claims
            .write(Extent::Exact, format!("{top}/composer.lock"));
    }
    // Packages may be local, and an autoloader is made from a look at the sources.
    call.read_tree(directory);
    if parsed.has(&["no-scripts"]) && parsed.has(&["no-plugins"]) {
        call.claims.write(Extent::Subtree, format!("{top}/vendor"));
        call.claims
            .assume("composer.json keeps packages in vendor and names none outside of the project");
    } else {
        call.claims
            .write(Extent::Subtree, common::top_of(directory));
        call.claims.assume(
            "composer.json names no package outside of the project, and its scripts touch only the project, \
             the home directory and /tmp",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("composer install --no-dev --optimize-autoloader --no-interaction --prefer-dist", "", "net /app/** /app/composer.json /root/**", "/app/** /root/** tmp"),
        ("composer install --no-scripts --no-autoloader --no-plugins", "", "net /app/composer.lock /app/auth.json", "/app/vendor/** /root/** tmp"),
        ("composer install --no-scripts --no-plugins", "", "net /app/**", "/app/vendor/** /root/** tmp"),
        ("COMPOSER_VENDOR_DIR=/v composer install --no-scripts --no-autoloader --no-plugins", "", "net", "/app/vendor/** /root/** /v/** tmp"),
        ("composer update -n -d sub", "", "net /app/sub/** /app/composer.json", "/app/** /root/** tmp"),
        ("composer require a/b:^1 --no-plugins --no-scripts", "", "net /app/**", "/app/composer.json /app/composer.lock /app/vendor/** /root/** tmp"),
        ("composer dump-autoload -o --classmap-authoritative", "", "/app/**", "/app/** /root/** tmp"),
        ("composer global require x/y", "", "net", "/root/** tmp"),
        ("composer clear-cache", "", "", "/root/** tmp"),
        ("composer self-update --2", "", "net", "/root/** /usr/bin/** /usr/local/bin/** tmp"),
        ("composer run-script x", "`run-script`", "", ""),
        ("composer create-project x/y", "`create-project`", "", ""),
        ("composer install --frob", "option --frob", "", ""),
        ("composer install $ARGS", "argument $", "", ""),
        ("COMPOSER=x.json composer install", "COMPOSER is set", "", ""),
        ("COMPOSER_OTHER=x composer install", "COMPOSER_OTHER is set", "", ""),
        ("COMPOSER_HOME=$X composer install", "COMPOSER_HOME is not known", "", ""),
        ("composer --version", "", "", ""),
    ];

    #[test]
    fn composer_has_its_footprints() {
        check(LINES);
    }
}
