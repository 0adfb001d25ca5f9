//! Rows as a table for people, JSON for programs, CSV for spreadsheets.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};

use super::args::Output;

/// Prints rows under a heading; in JSON each row is an object with the heading's words as keys.
pub(super) fn rows(
    output: Output,
    heading: &[&str],
    rows: &[Vec<String>],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match output {
        Output::Table => {
            let mut table = Table::new();
            table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(heading.iter().map(|word| word.to_uppercase()));
            table.add_rows(rows.to_vec());
            table.to_string().lines().try_for_each(|line| writeln!(out, "{}", line.trim()))?;
        }
        Output::Json => {
            let objects: Vec<serde_json::Map<String, serde_json::Value>> = rows
                .iter()
                .map(|row| {
                    heading
                        .iter()
                        .zip(row)
                        .map(|(key, cell)| ((*key).to_owned(), cell.clone().into()))
                        .collect()
                })
                .collect();
            serde_json::to_writer_pretty(&mut *out, &objects)?;
            writeln!(out)?;
        }
        Output::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(heading)?;
            rows.iter().try_for_each(|row| csv.write_record(row))?;
            csv.flush()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Output, rows};

    fn printed(output: Output) -> String {
        let mut out = Vec::new();
        rows(output, &["name", "note"], &[vec!["a".into(), "one, two".into()]], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_printed_in_each_form() {
        assert_eq!(printed(Output::Csv), "name,note\na,\"one, two\"\n");
        assert_eq!(
            printed(Output::Json),
            "[\n  {\n    \"name\": \"a\",\n    \"note\": \"one, two\"\n  }\n]\n"
        );
        assert_eq!(printed(Output::Table), "NAME  NOTE\na     one, two\n");
    }
}
