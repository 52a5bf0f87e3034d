//! Python's two formatting mini-languages, as far as chat templates use them: "%s" % x and "{}".format(x).

use super::args::Args;
use super::fault::{runtime, Budget, Res};
use super::text::{too_long, write_repr, write_str, Writer};
use super::value::{Kind, Number, V};

/// Padding and digits wider than this are an attack, not a layout.
const MAX_WIDTH: usize = 4096;

#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    plus: bool,
    zero: bool,
    comma: bool,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn number(chars: &mut Chars) -> Res<Option<usize>> {
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        let next = value.unwrap_or(0) * 10 + digit as usize;
        if next > MAX_WIDTH {
            return Err(too_long());
        }
        value = Some(next);
        chars.next();
    }
    Ok(value)
}

/// `format % values`
pub fn percent_format(format: &str, values: &V, limits: &mut Budget) -> Res<V> {
    let mut queue = match values {
        V::List(list) if list.kind == Kind::Tuple => list.items.clone(),
        other => vec![other.clone()],
    };
    queue.reverse();
    let mut out = Writer::new(limits);
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c.encode_utf8(&mut [0; 4]))?;
            continue;
        }
        let spec = percent_spec(&mut chars)?;
        if spec.kind == Some('%') {
            out.push("%")?;
            continue;
        }
        let value = queue.pop().ok_or_else(|| runtime("not enough arguments for format string"))?;
        write_spec(&value, &spec, '>', &mut out)?;
    }
    if !queue.is_empty() && !matches!(values, V::Map(_)) {
        return Err(runtime("not all arguments converted during string formatting"));
    }
    Ok(V::Str(out.text.into()))
}

fn percent_spec(chars: &mut Chars) -> Res<Spec> {
    let mut spec = Spec::default();
    while let Some(flag) = chars.next_if(|c| "-+0 #".contains(*c)) {
        match flag {
            '-' => spec.align = Some('<'),
            '+' => spec.plus = true,
            '0' => spec.zero = true,
            _ => {}
        }
    }
    spec.width = number(chars)?.unwrap_or(0);
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(number(chars)?.unwrap_or(0));
    }
    spec.kind = match chars.next() {
        Some('i' | 'u') => Some('d'),
        Some(c) if "sdfxXr%".contains(c) => Some(c),
        _ => return Err(runtime("unsupported format character")),
    };
    Ok(spec)
}

/// `format.format(*args, **kwargs)`
pub fn str_format(format: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    let mut out = Writer::new(limits);
    let mut chars = format.chars().peekable();
    let mut automatic = 0;
    while let Some(c) = chars.next() {
        if (c == '{' || c == '}') && chars.next_if_eq(&c).is_some() {
            out.push(c.encode_utf8(&mut [0; 4]))?;
        } else if c == '}' {
            return Err(runtime("Single '}' encountered in format string"));
        } else if c != '{' {
            out.push(c.encode_utf8(&mut [0; 4]))?;
        } else {
            let field: String = std::iter::from_fn(|| chars.next_if(|c| *c != '}')).collect();
            if chars.next().is_none() {
                return Err(runtime("expected '}' before end of string"));
            }
            write_field(&field, args, &mut automatic, &mut out)?;
        }
    }
    Ok(V::Str(out.text.into()))
}

fn write_field(field: &str, args: &Args, automatic: &mut usize, out: &mut Writer) -> Res<()> {
    let (name, spec) = field.split_once(':').unwrap_or((field, ""));
    let (name, repr) = name.strip_suffix("!r").map_or((name, false), |name| (name, true));
    let value = if name.is_empty() {
        *automatic += 1;
        args.positional.get(*automatic - 1).cloned()
    } else if let Ok(index) = name.parse::<usize>() {
        args.positional.get(index).cloned()
    } else {
        args.named(name)
    };
    let value = value.ok_or_else(|| runtime(format!("no argument for format field '{field}'")))?;
    let mut spec = brace_spec(spec)?;
    if repr {
        spec.kind = Some('r');
    }
    let align = if value.number().is_some() { '>' } else { '<' };
    write_spec(&value, &spec, align, out)
}

fn brace_spec(text: &str) -> Res<Spec> {
    let mut spec = Spec::default();
    let mut chars = text.chars().peekable();
    let second = text.chars().nth(1);
    if second.is_some_and(|c| "<>^".contains(c)) {
        spec.fill = chars.next();
    }
    spec.align = chars.next_if(|c| "<>^".contains(*c));
    spec.plus = chars.next_if_eq(&'+').is_some();
    spec.zero = chars.next_if_eq(&'0').is_some();
    spec.width = number(&mut chars)?.unwrap_or(0);
    spec.comma = chars.next_if_eq(&',').is_some();
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = number(&mut chars)?;
    }
    spec.kind = chars.next_if(|c| "sdfxX".contains(*c));
    if chars.next().is_some() {
        return Err(runtime(format!("unsupported format '{text}'")));
    }
    Ok(spec)
}

fn write_spec(value: &V, spec: &Spec, align: char, out: &mut Writer) -> Res<()> {
    let start = out.text.len();
    match (spec.kind, value.number()) {
        (Some('r'), _) => write_repr(value, out)?,
        (Some(kind @ ('d' | 'f' | 'x' | 'X')), Some(n)) => out.push(&digits(kind, &n, spec)?)?,
        (Some('d' | 'f' | 'x' | 'X'), None) => {
            return Err(runtime("a number is required by the format"))
        }
        (None, Some(n @ Number::Int(_))) => out.push(&digits('d', &n, spec)?)?,
        (None, Some(n @ Number::Float(_))) if spec.precision.is_some() => {
            out.push(&digits('f', &n, spec)?)?
        }
        _ => {
            write_str(value, out)?;
            if let Some(count) = spec.precision {
                let cut = out.text[start..].char_indices().nth(count).map(|(at, _)| start + at);
                out.text.truncate(cut.unwrap_or(out.text.len()));
            }
        }
    }
    let missing = spec.width.saturating_sub(out.text[start..].chars().count());
    if missing == 0 {
        return Ok(());
    }
    let body = out.text.split_off(start);
    let zero = spec.zero && value.number().is_some() && spec.align.is_none();
    let fill = spec.fill.unwrap_or(if zero { '0' } else { ' ' }).to_string();
    let (sign, body) = match body.strip_prefix('-').filter(|_| zero) {
        Some(rest) => ("-", rest.to_string()),
        None => ("", body),
    };
    let before = match spec.align.unwrap_or(align) {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    for part in [sign, &fill.repeat(before), &body, &fill.repeat(missing - before)] {
        out.push(part)?;
    }
    Ok(())
}

fn digits(kind: char, number: &Number, spec: &Spec) -> Res<String> {
    let integer = match number {
        Number::Int(i) => *i,
        Number::Float(f) if f.is_finite() => *f as i128,
        Number::Float(_) if kind == 'f' => 0,
        Number::Float(_) => return Err(runtime("cannot convert float infinity or NaN to integer")),
    };
    let mut text = match kind {
        'f' => format!("{:.*}", spec.precision.unwrap_or(6), number.float()),
        'x' if integer < 0 => format!("-{:x}", integer.unsigned_abs()),
        'X' if integer < 0 => format!("-{:X}", integer.unsigned_abs()),
        'x' => format!("{integer:x}"),
        'X' => format!("{integer:X}"),
        _ => integer.to_string(),
    };
    if spec.comma {
        text = with_commas(&text);
    }
    if spec.plus && !text.starts_with('-') {
        text.insert(0, '+');
    }
    Ok(text)
}

fn with_commas(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    let count = whole.trim_start_matches('-').len();
    for (index, c) in whole.trim_start_matches('-').chars().enumerate() {
        if index > 0 && (count - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(c);
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    fraction.map_or(format!("{sign}{grouped}"), |f| format!("{sign}{grouped}.{f}"))
}
