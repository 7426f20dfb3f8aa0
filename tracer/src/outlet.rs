//! Where a run shows itself: the terminal, the standard output, the CSV file.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

use anyhow::Result;
use tracer_core::{Change, Report};

use crate::{
    cli::{Form, Output},
    sink::{
        Context,
        csv::{self, CsvFile},
        json,
        table::{self, Style},
        terminal,
    },
};

/// What was shown and is to be shown.
pub(crate) struct Outlet {
    form: Form,
    context: Context,
    csv: Option<CsvFile>,
    /// Why the record ends early. The run goes on without it, and fails at the end.
    csv_error: Option<anyhow::Error>,
    is_terminal: bool,
    /// The page in place is on the alternate screen.
    entered: bool,
    /// The report of the last page that was appended.
    appended: Option<Report>,
}

/// What became of showing something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It was.
    Yes,
    /// Nobody reads any more: an ordinary end.
    NobodyReads,
}

impl Outlet {
    /// Opens the CSV file, so that a path that cannot be written is known before anything else.
    ///
    /// # Errors
    /// The CSV file cannot be used.
    pub(crate) fn open(form: Form, context: Context) -> Result<Self> {
        let csv = form.csv.as_deref().map(CsvFile::create).transpose()?;
        let is_terminal = io::stdout().is_terminal();
        let outlet = Self {
            form,
            context,
            csv,
            csv_error: None,
            is_terminal,
            entered: false,
            appended: None,
        };
        if outlet.form.output == Output::Csv {
            write(csv::HEADER.as_bytes())?;
        }
        Ok(outlet)
    }

    /// Shows how things stand, if this form does so while a run goes on.
    ///
    /// # Errors
    /// The standard output cannot be written.
    pub(crate) fn progress(&mut self, report: &Report, changes: &[Change]) -> Result<Shown> {
        let rows = self.change_rows(report, changes)?;
        self.keep(&rows);
        match self.form.output {
            Output::Csv => write(&rows.concat()),
            _ if self.form.only_at_the_end => Ok(Shown::Yes),
            Output::Json => write_line(&json::line(report, &self.context)?),
            Output::Table => self.page(report),
        }
    }

    /// Shows how it ended.
    ///
    /// # Errors
    /// The standard output cannot be written, or the CSV file could not be at some time.
    pub(crate) fn finish(mut self, report: &Report) -> Result<Shown> {
        let rows: Vec<Vec<u8>> =
            csv::remaining(report, &self.context).collect::<io::Result<_>>()?;
        self.keep(&rows);
        self.leave();
        let shown = match self.form.output {
            Output::Csv => write(&rows.concat())?,
            Output::Json if self.form.only_at_the_end => {
                write_line(&json::document(report, &self.context)?)?
            }
            Output::Json => write_line(&json::line(report, &self.context)?)?,
            Output::Table => {
                let page = table::page(report, &self.context, self.style());
                write(page.to_string().as_bytes())?
            }
        };
        if let Some(csv) = self.csv.take() {
            csv.finish()?;
        }
        self.csv_error.take().map_or(Ok(shown), Err)
    }

    fn change_rows(&self, report: &Report, changes: &[Change]) -> Result<Vec<Vec<u8>>> {
        if self.csv.is_none() && self.form.output != Output::Csv {
            return Ok(Vec::new());
        }
        let row = |change| csv::change(change, &report.coverage, &self.context);
        Ok(changes.iter().map(row).collect::<io::Result<_>>()?)
    }

    /// Appends rows to the CSV file. The first failure ends the record, not the run.
    fn keep(&mut self, rows: &[Vec<u8>]) {
        let Some(csv) = &mut self.csv else { return };
        if let Err(error) = rows.iter().try_for_each(|row| csv.append(row)) {
            log::error!("{error:#}");
            self.csv = None;
            self.csv_error = Some(error);
        }
    }

    /// On a terminal the page is repainted in place; elsewhere it is appended when it says
    /// something else than the one before.
    fn page(&mut self, report: &Report) -> Result<Shown> {
        let page = table::page(report, &self.context, self.style());
        if self.redraws() {
            if !self.entered {
                self.entered = true;
                write(terminal::ENTER)?;
            }
            let rows = terminal_size::terminal_size().map_or(24, |(_, height)| height.0);
            return write(&terminal::frame(&page, rows));
        }
        let same = |last: &Report| table::have_same_findings(last, report);
        if self.appended.as_ref().is_some_and(same) {
            return Ok(Shown::Yes);
        }
        self.appended = Some(report.clone());
        write_line(&format!("{}\n", page.body))
    }

    /// Diagnostics on the same screen would tear a page that is repainted.
    const fn redraws(&self) -> bool {
        self.is_terminal && !self.form.verbose
    }

    fn style(&self) -> Style {
        let width = terminal_size::terminal_size().map(|(width, _)| width.0);
        Style {
            color: self.is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            width: width.filter(|_| self.is_terminal).unwrap_or(u16::MAX),
            wide: self.form.wide,
        }
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.entered) {
            // If this fails, so does what is shown next, and that says why.
            let _ = write(terminal::LEAVE);
        }
    }
}

/// Whatever way a run ends, the terminal is as it was.
impl Drop for Outlet {
    fn drop(&mut self) {
        self.leave();
    }
}

fn write_line(line: &str) -> Result<Shown> {
    let end = if line.ends_with('\n') { "" } else { "\n" };
    write(format!("{line}{end}").as_bytes())
}

fn write(bytes: &[u8]) -> Result<Shown> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Shown::Yes),
        Err(error) if terminal::is_broken_pipe(&error) => Ok(Shown::NobodyReads),
        Err(error) => Err(anyhow::Error::new(error)
            .context("cannot write to the standard output; redirect it somewhere else")),
    }
}
