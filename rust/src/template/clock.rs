//! strftime_now: the C library's strftime, which is also what Python calls.

use super::fault::{runtime, Res};

pub fn strftime(now_s: i64, format: &str) -> Res<String> {
    // A naive Python datetime has no zone, and %f is Python's own.
    let format = format.replace("%Z", "").replace("%z", "").replace("%f", "000000");
    let format = std::ffi::CString::new(format)
        .map_err(|_| runtime("embedded null character in the format"))?;
    if format.as_bytes().is_empty() {
        return Ok(String::new());
    }
    let mut buffer = [0u8; 1024];
    let now = now_s as libc::time_t;
    // Safe: both structures are ours, and strftime writes at most the size it is told.
    let length = unsafe {
        let mut fields: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&now, &mut fields).is_null() {
            return Err(runtime("the time is out of range"));
        }
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), format.as_ptr(), &fields)
    };
    if length == 0 {
        return Err(runtime("the formatted time is too long"));
    }
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
