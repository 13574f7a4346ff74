//! Refuses files that would make the parser recurse too deeply.

use proc_macro2::{LineColumn, TokenStream, TokenTree};

/// How deep brackets may nest.
const DEPTH_MAX: usize = 200;
/// How many tokens of one level may follow each other without `;` or `,`: operators, generics and `else if` nest
/// without brackets. Items end with a block, so the top level of a long file is a long run too.
const RUN_MAX: usize = 50_000;

/// Checks a file's tokens without recursion; returns how many there are, or the place of the first that nests too
/// deeply.
pub(super) fn check(tokens: TokenStream) -> Result<usize, LineColumn> {
    let mut count = 0;
    let mut stack = vec![(tokens.into_iter(), 0_usize)];
    while let Some((level, run)) = stack.last_mut() {
        let Some(token) = level.next() else {
            stack.pop();
            continue;
        };
        *run += 1;
        count += 1;
        if *run > RUN_MAX {
            return Err(token.span().start());
        }
        match token {
            TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ',') => *run = 0,
            TokenTree::Group(group) => {
                if stack.len() >= DEPTH_MAX {
                    return Err(group.span_open().start());
                }
                stack.push((group.stream().into_iter(), 0));
            }
            _ => {}
        }
    }
    Ok(count)
}
