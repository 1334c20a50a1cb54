use super::super::{shown, shown_with};

fn of(gemfile: &str, more: &[(&str, &str)]) -> String {
    let mut files = vec![
        ("/app/Gemfile", gemfile),
        ("/app/Gemfile.lock", "GEM\n  remote: https://x\n"),
        ("/app/app.rb", ""),
    ];
    files.extend(more);
    shown("bundle install --jobs 4", "/app", &files)
}

/// Only names that are not always read.
fn more(gemfile: &str, files: &[(&str, &str)]) -> String {
    let text = of(gemfile, files);
    if text.starts_with('(') {
        return text;
    }
    let reads = text.split(" | ").next().unwrap_or("");
    let always = [
        "Gemfile",
        "Gemfile.lock",
        "gems.rb",
        ".ruby-version",
        ".tool-versions",
        "cache/**",
        ".bundle/**",
    ];
    reads
        .split(' ')
        .filter(|w| !always.iter().any(|a| w.ends_with(a)))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_plain_gemfile_needs_itself() {
    let text = "source 'https://rubygems.org' # File.read\nruby '3.3'\ngem 'rails', '~> 7.0', git: 'https://x/y.git'\n\
                group :a do\n  gem \"x\" if ENV['A']\nend\n";
    assert_eq!(
        of(text, &[]),
        "/.ruby-version /.tool-versions /Gemfile /app/.bundle/** /app/.ruby-version /app/.tool-versions /app/Gemfile \
         /app/Gemfile.lock /app/gems.rb /app/vendor/cache/** /gems.rb | /app/.bundle/** /app/Gemfile.lock \
         /app/vendor/bundle/** /app/vendor/cache/**"
    );
    assert_eq!(more(text, &[]), "");
}

#[test]
fn files_that_a_gemfile_names_are_read() {
    let v = ("/app/lib/v.rb", "V = 1");
    assert_eq!(more("require_relative 'lib/v'\n", &[v]), "/app/lib/v.rb");
    assert_eq!(more("eval_gemfile 'lib/v.rb'\n", &[v]), "/app/lib/v.rb");
    // A name alone is no look.
    assert_eq!(more("case File.basename($0)\nwhen 'rake'\nend\n", &[]), "");
    assert_eq!(
        more("ruby File.read('lib/v.rb').strip\n", &[v]),
        "/app/lib/v.rb"
    );
    assert_eq!(
        more(
            "ruby file: '.ruby-version'\n",
            &[("/app/.ruby-version", "")]
        ),
        ""
    );
    let engine = [
        (
            "/app/eng/e.gemspec",
            "require File.expand_path('../lib/v', __FILE__)",
        ),
        ("/app/eng/lib/v.rb", ""),
    ];
    assert_eq!(more("gem 'e', path: 'eng'\n", &engine), "/app/eng/**");
    assert_eq!(
        more("path \"eng\" do\n gem 'e'\nend\n", &engine),
        "/app/eng/**"
    );
}

#[test]
fn programs_are_left_alone() {
    for line in [
        "gemspec",
        "Dir['engines/*'].each { |d| gem d, path: d }",
        "gem 'x', path: \"#{x}/y\"",
        "gem 'x', path: '.'",
        "gem 'x', path: 'gone'",
        "eval File.read(name)",
        "x = `git describe`",
        "plugin 'x'",
        "gem 'x', File.read('gone.txt')",
        "require File.join(dir, 'x')",
        "File.basename(File.read(name))",
    ] {
        assert!(of(line, &[]).starts_with('('), "{line}");
    }
    let lock = ("/app/Gemfile.lock", "PATH\n  remote: .\n");
    let files = [("/app/Gemfile", ""), lock];
    assert!(shown("bundle install", "/app", &files).starts_with('('));
    for line in [
        "bundle exec rake x",
        "bundle update",
        "bundle cache",
        "bundle install --frob",
    ] {
        assert!(shown(line, "/app", &files[..1]).starts_with('('), "{line}");
    }
    assert!(shown("bundle install", "/app", &[]).starts_with('('));
    let kept = [files[0], ("/app/vendor/bundle/x", "")];
    assert!(shown("bundle install", "/app", &kept).starts_with('('));
}

#[test]
fn settings_and_variables_count() {
    let files = [
        ("/app/Gemfile", ""),
        ("/app/.bundle/config", "---\nBUNDLE_PATH: \"gems\"\n"),
    ];
    assert!(shown("bundle", "/app", &files).contains("/app/gems/**"));
    let text = shown_with(
        "bundle install",
        "/app",
        &files[..1],
        &[("BUNDLE_PATH", "/b")],
    );
    assert!(text.contains("/b/**"), "{text}");
    let other = shown_with(
        "bundle",
        "/app",
        &[("/app/x/Gemfile", "")],
        &[("BUNDLE_GEMFILE", "x/Gemfile")],
    );
    assert!(other.contains("/app/x/Gemfile.lock"), "{other}");
    assert!(
        shown("bundle config set --local path vendor/bundle", "/app", &[])
            .contains("/app/.bundle/**")
    );
    assert_eq!(
        shown("gem install bundler -v 2.5", "/", &[]),
        "/.ruby-version /.tool-versions | "
    );
    assert!(shown("gem install x.gem", "/", &[]).starts_with('('));
}
