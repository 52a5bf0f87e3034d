// Flags, contradictions between them, and which of the three ways to generate is meant.
#include "apps/generate.h"

#include "apps/generate_rows.h"
#include "apps/generate_text.h"
#include "apps/interrupt.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "prompt",
     .unit = "TEXT",
     .help = "the prompt; without it and its kind, standard input is read"},
    {.name = "prompt-file", .unit = "FILE", .help = "read the prompt from a file"},
    {.name = "prompts",
     .unit = "FILE",
     .help = "rows of JSON: {\"id\", and one of \"ids\", \"prompt\", \"messages\"}; a row may set "
             "for itself what flags from --max-tokens to --echo set for all: \"max_tokens\""},
    {.name = "out",
     .unit = "FILE",
     .help = "with --prompts: where answers go, a row each; standard output otherwise"},
    {.name = "logits",
     .unit = "DIR",
     .help = "with --prompts: write DIR/<id>.npy, float32 [prompt + generated - 1, vocabulary]"},
    {.name = "chat",
     .kind = FieldKind::kSwitch,
     .help = "the prompt is a chat message; on a terminal, talk until Ctrl-D"},
    {.name = "system", .unit = "TEXT", .help = "with --chat: the system message"},
    {.name = "json",
     .kind = FieldKind::kSwitch,
     .help = "print one JSON object instead of streaming text"},
};

std::optional<std::string> text_if_given(const FieldValues& values, std::string_view name) {
  if (!values.given(name)) return std::nullopt;
  return values.text(name);
}

std::unexpected<Status> contradiction(const char* what, const char* why) {
  return fail(Code::kInvalidArgument, what, {}, {}, why);
}

Result<void> check_combination(const FieldValues& values) {
  const int sources =
      values.given("prompt") + values.given("prompt-file") + values.given("prompts");
  if (sources > 1) {
    return contradiction("more than one of --prompt, --prompt-file and --prompts",
                         "give one of them");
  }
  if (!values.given("prompts")) {
    if (values.given("out"))
      return contradiction("--out without --prompts", "it takes rows of answers");
    if (values.given("logits"))
      return contradiction("--logits without --prompts", "ids name its files");
  } else if (values.is_on("chat") || values.is_on("json")) {
    return contradiction("--chat or --json with --prompts",
                         "rows say what they are, and answers are JSON");
  }
  const bool prints_text = !values.given("prompts") && !values.is_on("json");
  if (prints_text && (values.given("logprobs") || values.given("prompt-logprobs"))) {
    return contradiction("--logprobs or --prompt-logprobs without --json or --prompts",
                         "they are part of the JSON of an answer");
  }
  if (values.given("system") && !values.is_on("chat")) {
    return contradiction("--system without --chat", "only a chat has a system message");
  }
  return {};
}

}  // namespace

FieldList generate_fields() { return kFields; }

Result<GenerateArgs> make_generate_args(const std::string& model, const FieldValues& values) {
  TRY(check_combination(values));
  GenerateArgs args;
  args.session.model = model;
  args.session.revision = values.text("revision");
  args.session.engine = TRY(engine::make_engine_config(values));
  args.session.engine.all_logits = values.given("logits") || values.given("prompt-logprobs");
  args.sampling = TRY(frontend::sampling_values(values));
  args.prompt = text_if_given(values, "prompt");
  args.prompt_file = values.text("prompt-file");
  args.prompts = values.text("prompts");
  args.out = values.text("out");
  args.logits = values.text("logits");
  args.chat = values.is_on("chat");
  args.system = text_if_given(values, "system");
  args.json = values.is_on("json");
  return args;
}

Result<void> run_generate(Env& env, const GenerateArgs& args) {
  if (args.prompts.empty()) return generate_text(env, args);
  return generate_rows(env, args);
}

}  // namespace strata::apps
