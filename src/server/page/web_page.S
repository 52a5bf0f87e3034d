// The built page, byte for byte, between two symbols of web_page.cc. The assembler reads the file,
// so that no generated source of a million characters is compiled; STRATA_PAGE names it.
  .section .rodata
  .global strata_web_page_begin
  .global strata_web_page_end
strata_web_page_begin:
  .incbin STRATA_PAGE
strata_web_page_end:
  .section .note.GNU-stack, "", %progbits
