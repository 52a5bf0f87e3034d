"""tool_call examples: tools are offered, and the answer is a call with arguments copied from the request.

Some requests need none of the tools and are answered in words; some end with the answer to a tool's result.
"""
from . import fillers, kinds_exact, nouns, small_talk
from .bank import Bank
from .chat import SYSTEM, Example, Turn, render_tool_call
from .names import PETS, SECRETS, TOWNS, person
from .rand import Rand
from .tools_data import OKAY, TOOLS, Tool

SHORT_TEXTS = Bank("short texts", """
    I will be late.
    See you on {d}.
    Please bring the {t}.
    Happy birthday!
    The {t} is ready.
    Where are you?
    I am at home now.
    Come home soon.
    Dinner is ready at {h}.
    I have found the {t}.
    Call me on {d}.
    Thank you for the {t}.
    Let us meet at {h}.
    I cannot come on {d}.
    ~Please bring the {t} on {d}.
    ~I will see you on {d}.
    """)
LANGUAGES = nouns.words_of("French, German, Italian, Spanish, Polish, Dutch, Danish, Greek, Latin, Turkish, Finnish, Russian")
_CLOSED = {"colour": nouns.COLOURS, "day": nouns.DAYS, "instrument": nouns.INSTRUMENTS, "language": LANGUAGES}
_OPEN = {"town": TOWNS.pick, "person": person, "thing": nouns.THINGS.pick, "food": nouns.FOODS.pick, "job": nouns.JOBS.pick,
         "pet": PETS.pick, "secret": SECRETS.pick}


def _value(rand: Rand, sort: str) -> str | int:
    if sort == "short" and rand.chance(0.5):  # any sentence: a text is copied, not known
        return fillers.SCENE.pick(rand) if rand.chance(0.5) else fillers.PEOPLE.pick(rand).format(P=person(rand), Q=person(rand))
    if sort == "short":
        return SHORT_TEXTS.pick(rand).format(d=rand.pick(nouns.DAYS), t=nouns.THINGS.pick(rand), h=rand.between(1, 12))
    if sort in ("number", "hour"):
        return rand.between(1, 12) if sort == "hour" else rand.between(2, 99)
    return rand.pick(_CLOSED[sort]) if sort in _CLOSED else _OPEN[sort](rand)


def _styled(name: str, rand: Rand) -> str:
    """A function's name as programs write it: get_weather, getWeather or tool_get_weather."""
    style = rand.below(10)
    if style < 2:
        first, *others = name.split("_")
        return first + "".join(nouns.capital(word) for word in others)
    return f"tool_{name}" if style == 2 else name


def _offer(rand: Rand, tool: Tool) -> tuple[dict, dict[str, str]]:
    """(schema, slot -> parameter name) under names drawn for this example."""
    names = {slot: bank.pick(rand) for slot, (bank, _) in tool.parameters.items()}
    properties = {names[slot]: {"type": "integer" if sort in ("number", "hour") else "string"}
                  for slot, (_, sort) in tool.parameters.items()}
    schema = {"name": _styled(tool.names.pick(rand), rand), "description": tool.about,
              "parameters": {"type": "object", "properties": properties, "required": list(properties)}}
    return {"type": "function", "function": schema}, names


def _call(tool: Tool, offer: tuple[dict, dict[str, str]], rand: Rand) -> tuple[str, str, dict]:
    """(request, name of the function, arguments)."""
    schema, names = offer
    values = {slot: _value(rand, sort) for slot, (_, sort) in tool.parameters.items()}
    arguments = {names[slot]: value for slot, value in values.items()}
    request = tool.requests.pick(rand).format(ax=nouns.article(str(values["x"])), **values)
    return request, schema["function"]["name"], arguments


def _call_messages(request: str, name: str, arguments: dict) -> list[dict]:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return [{"role": "user", "content": request}, {"role": "assistant", "content": "", "tool_calls": [call]}]


def _plain_turn(rand: Rand) -> Turn:
    makers = (small_talk.turn, kinds_exact.arithmetic_turn, kinds_exact.list_turn, kinds_exact.count_turn)
    return rand.pick(makers)(rand)


def _result(tool: Tool, rand: Rand) -> tuple[str, str]:
    """(what the tool returns, what is said about it)."""
    if tool.results is None:
        return OKAY, "Done."
    text = tool.results.pick(rand).format(n=rand.between(2, 99), d=rand.pick(nouns.DAYS), P=person(rand))
    return text, f"The tool says: {text}"


def tool_call(rand: Rand, length: int | None) -> Example:
    tools = rand.sample(TOOLS, rand.between(1, 4))
    offers = [_offer(rand, tool) for tool in tools]
    messages = [{"role": "system", "content": SYSTEM.pick(rand)}] if rand.chance(0.2) else []
    gold = ""
    for _ in range(1 if rand.chance(0.4) else rand.between(2, 5)):
        sort = rand.below(10)
        if sort < 2:
            turn = _plain_turn(rand)
            gold = turn.gold
            messages += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": gold}]
            continue
        place = rand.below(len(tools))
        request, name, arguments = _call(tools[place], offers[place], rand)
        messages += _call_messages(request, name, arguments)
        result, said = _result(tools[place], rand)
        messages += [{"role": "tool", "tool_call_id": "call_1", "content": result}, {"role": "assistant", "content": said}]
        gold = said
    if messages[-2]["role"] == "tool" and rand.chance(0.8):
        messages = messages[:-2]
        function = messages[-1]["tool_calls"][0]["function"]
        gold = render_tool_call(function["name"], function["arguments"])
    return Example("tool_call", messages, [schema for schema, _ in offers], gold, 0)
