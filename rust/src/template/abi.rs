//! The exported functions of chat templates; each is described in src/text/ffi.h.

use super::{Chat, Template};
use crate::ffi::{guard, Bytes, Failure, Str};

/// # Safety
/// Every exported function here trusts its pointers, as ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn strata_template_new(
    source: Str,
    out: *mut *mut Template,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let template = Template::new(source.text("chat template")?)?;
        out.write(Box::into_raw(Box::new(template)));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_template_free(template: *mut Template) {
    drop(Box::from_raw(template));
}

/// StrataChat in ffi.h.
#[repr(C)]
pub struct RawChat {
    messages: Str,
    tools: Str,
    documents: Str,
    variables: Str,
    bos_token: *const Str,
    eos_token: *const Str,
    now_s: i64,
    add_generation_prompt: bool,
}

unsafe fn token<'a>(text: *const Str, name: &str) -> Result<Option<&'a str>, Failure> {
    text.as_ref().map(|text| text.text(name)).transpose()
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_template_render(
    template: &Template,
    chat: &RawChat,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let chat = Chat {
            messages: chat.messages.text("messages")?,
            tools: chat.tools.text("tools")?,
            documents: chat.documents.text("documents")?,
            variables: chat.variables.text("template variables")?,
            bos_token: token(chat.bos_token, "bos_token")?,
            eos_token: token(chat.eos_token, "eos_token")?,
            now_s: chat.now_s,
            add_generation_prompt: chat.add_generation_prompt,
        };
        out.write(Bytes::from_string(template.render(&chat)?));
        Ok(())
    })
}
