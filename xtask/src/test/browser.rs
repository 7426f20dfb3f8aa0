//! The HTML report in a browser: what it shows, what it requests, how it is rendered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::tally::Tally;
use crate::{command, step, workspace};

/// Names of Chromium and its relatives.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Time limit of the browser in seconds: far more than it takes on a busy host.
const DEADLINE_S: &str = "120";

/// The golden pages of the report's own tests.
const PAGES: [&str; 2] = ["page.html", "hostile.html"];

/// Text that must not be in any page.
const HARMFUL: [&str; 3] = ["<script", "<img", "onerror=\"a()\">"];

/// Markup that requests a file and runs a script. Added to a page, it must be detected.
const CONTROL: &str =
    r#"<img src="http://192.0.2.1/x.png"><script>document.title = "it ran"</script></main>"#;

/// Screenshots of a page: name, window size, further arguments.
const SCREENSHOTS: [(&str, &str, &[&str]); 4] = [
    ("light", "1280,900", &[]),
    ("dark", "1280,900", &[DARK]),
    ("small", SMALL, &[]),
    ("small-dark", SMALL, &[DARK]),
];

/// The reader prefers dark colors.
const DARK: &str = "--blink-settings=preferredColorScheme=0";
/// The narrowest window that the browser supports.
const SMALL: &str = "500,900";

/// Checks every page, or skips that and shows why.
///
/// # Errors
/// If the workspace's build directory cannot be found or written.
pub(super) fn run() -> Result<Tally> {
    let Some(program) = BROWSERS.iter().find_map(|name| command::find(name)) else {
        return Ok(step::skipped("no browser; `apt-get install chromium` installs one"));
    };
    let directory = workspace::target()?.join("browser");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let browser = Browser { program, directory };
    let mut tally = Tally::default();
    for name in PAGES {
        println!("{name}: has its headings and requests nothing");
        tally += step::checked(browser.check(name));
    }
    println!("a page that requests something is detected");
    tally += step::checked(browser.control());
    println!("screenshots and PDF, in {}", browser.directory.display());
    tally += step::checked(browser.screenshots());
    Ok(tally)
}

struct Browser {
    program: PathBuf,
    /// The directory for the browser's profile, pages and screenshots.
    directory: PathBuf,
}

/// A page as the browser loaded it.
struct Loaded {
    /// The document, serialized from the DOM.
    document: String,
    /// Messages on the console.
    messages: Vec<String>,
}

impl Browser {
    fn check(&self, name: &str) -> Result<()> {
        let page = fs::read_to_string(golden(name)).with_context(|| format!("no {name}"))?;
        let loaded = self.load(&golden(name))?;
        if let Some(message) = loaded.messages.first() {
            bail!("the browser reports: {message}");
        }
        let headings = headings(&page);
        ensure!(!headings.is_empty(), "{name} has no headings");
        for heading in headings {
            ensure!(loaded.document.contains(&heading), "the browser does not show {heading:?}");
        }
        for text in HARMFUL {
            ensure!(!loaded.document.contains(text), "{text:?} is part of the page");
        }
        Ok(())
    }

    /// The page's content security policy blocks the request and the script, and the check detects
    /// both attempts.
    fn control(&self) -> Result<()> {
        let page = fs::read_to_string(golden("page.html")).context("no golden page")?;
        let path = self.directory.join("control.html");
        fs::write(&path, page.replace("</main>", CONTROL)).context("cannot write")?;
        let loaded = self.load(&path)?;
        ensure!(loaded.messages.len() == 2, "messages: {:?}", loaded.messages);
        ensure!(!loaded.document.contains("<title>it ran"), "a script was run");
        Ok(())
    }

    fn screenshots(&self) -> Result<()> {
        for (name, size, arguments) in SCREENSHOTS {
            let path = self.directory.join(format!("{name}.png"));
            let screenshot = format!("--screenshot={}", path.display());
            let size = format!("--window-size={size}");
            let mut command = self.command(&golden("page.html"));
            command.args(["--hide-scrollbars", &screenshot, &size]).args(arguments);
            output(&mut command)?;
            check_start(&path, b"\x89PNG")?;
        }
        let path = self.directory.join("paper.pdf");
        let mut command = self.command(&golden("page.html"));
        output(command.arg(format!("--print-to-pdf={}", path.display())))?;
        check_start(&path, b"%PDF")
    }

    fn load(&self, page: &Path) -> Result<Loaded> {
        let mut command = self.command(page);
        let (document, log) = output(command.args(["--dump-dom", "--enable-logging=stderr"]))?;
        let messages = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
        Ok(Loaded { document, messages: messages.collect() })
    }

    /// The browser has no network: every request fails and leaves a message on the console.
    fn command(&self, page: &Path) -> Command {
        let mut command = Command::new("timeout");
        command.arg(DEADLINE_S).arg(&self.program);
        // The sandbox does not work for root or in most containers, and the pages are trusted.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update"]);
        command.args(["--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND"]);
        command.arg("--proxy-server=127.0.0.1:9");
        command.arg(format!("--user-data-dir={}", self.directory.join("profile").display()));
        command.arg(format!("file://{}", page.display()));
        command
    }
}

/// The headings of a page, as a browser serializes them.
fn headings(page: &str) -> Vec<String> {
    let mut headings = Vec::new();
    for (start, end) in [("<h1>", "</h1>"), ("<h2>", "</h2>")] {
        for part in page.split(start).skip(1) {
            let heading = part.split(end).next().unwrap_or_default();
            let heading = heading.replace('\u{a0}', "&nbsp;").replace("&quot;", "\"");
            headings.push(format!("{start}{heading}{end}"));
        }
    }
    headings
}

fn golden(name: &str) -> PathBuf {
    workspace::root().join("tracer/src/output/html/tests").join(name)
}

/// Standard output and standard error of a command.
fn output(command: &mut Command) -> Result<(String, String)> {
    let run = command.stdin(Stdio::null()).output();
    let output = run.with_context(|| format!("cannot start `{}`", command::describe(command)))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        let errors = text(&output.stderr);
        let last = errors.lines().last().unwrap_or_default();
        bail!("`{}` failed ({}): {last}", command::describe(command), output.status);
    }
    Ok((text(&output.stdout), text(&output.stderr)))
}

fn check_start(path: &Path, start: &[u8]) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("no {}", path.display()))?;
    ensure!(bytes.starts_with(start), "{} has another format", path.display());
    Ok(())
}
