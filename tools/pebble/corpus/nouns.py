"""Nouns by sort (things, animals, foods, jobs, places) and the closed classes (colours, days, months, adjectives).

Open classes are cut into train and held-out; closed ones are shared, since nobody can answer "Monday" unseen.
"""
from .bank import Words, words_of
from .rand import Rand

THINGS = Words("things", words_of("""
kite, drum, lantern, basket, book, coin, hat, ring, rope, spoon, bottle, key, map, letter, ball, clock, mirror, candle, box, lamp,
cup, bell, boat, wagon, whistle, puzzle, blanket, pillow, brush, button, ribbon, scarf, glove, jacket, boot, helmet, shield,
sword, flute, guitar, violin, trumpet, camera, radio, ladder, hammer, shovel, bucket, broom, kettle, pot, pan, plate, bowl,
fork, jar, vase, chair, stool, bench, desk, shelf, drawer, chest, barrel, crate, sack, purse, wallet, necklace, bracelet, crown,
feather, shell, stone, pebble, crystal, marble, doll, puppet, robot, engine, wheel, tent, flag, banner, poster, painting,
notebook, pencil, crayon, ruler, compass, telescope, magnet, battery, torch, umbrella, anchor, anvil, apron, arrow, axe, backpack,
badge, ballpoint, bandage, bead, belt, bicycle, binder, birdcage, bolt, bonnet, bookmark, boomerang, bow, brick,
briefcase, brooch, buckle, bulb, buoy, cabinet, cable, calculator, calendar, canoe, canvas, cape, card, cart, cauldron,
chain, chalk, charm, cloak, coat, collar, comb, computer, cork, corkscrew, cupboard, curtain, cushion, dagger, diamond,
dice, dictionary, dish, domino, doorbell, doormat, dress, drill, earring, easel, envelope, eraser, fan, faucet, fiddle,
file, fishing rod, flask, folder, footstool, frame, fridge, funnel, gem, globe, goblet, gong, gown, grater, hairpin, hammock,
handbag, handkerchief, harness, headband, heater, hinge, hook, hoop, horn, horseshoe, hourglass, iron, jewel, jug, kayak,
keyboard, knife, knob, lace, laptop, lever, lid, lighter, locket, lock, loom, magazine, mask, mat, matchbox, medal, megaphone,
microscope, mitten, mop, mug, nail, napkin, needle, net, newspaper, oar, oven, paddle, padlock, paintbrush, parachute, parasol,
parcel, passport, pearl, pedal, pen, pendant, photo, pin, pipe, pitcher, plank, plough, pocket watch, pouch, projector, quill,
quilt, racket, raft, rake, rattle, razor, record, rocket, rug, saddle, sail, sandal, scale, scissors case, scooter, screen, screw,
scroll, seal stamp, shawl, shirt, shoe, shoelace, sieve, skateboard, sketch, ski, skirt, sled, sleigh, slipper, sock, sofa,
sponge, spade, spring, stamp, statue, stick, sticker, stocking, stopwatch, stove, strap, suitcase, swing, tablecloth, tambourine,
tape, teapot, teddy, thermos, thimble, thread, ticket, tile, toolbox, toothbrush, top hat, towel, tractor, tray, tricycle, tripod,
trophy, trunk, tube, tweezer, typewriter, vest, veil, wand, washboard, watch, watering can, wig, windmill, wrench, wreath, yoyo,
zipper, xylophone, sundial, snow globe, spinner
"""), common="letter dictionary pebble record cup hat watch sponge clock ring statue ticket stamp windmill snow")
ANIMALS = Words("animals", words_of("""
cat, dog, cow, horse, sheep, goat, pig, hen, duck, goose, rabbit, mouse, fox, wolf, bear, deer, owl, eagle, crow, parrot, frog,
turtle, snake, lizard, hedgehog, squirrel, beaver, otter, monkey, tiger, lion, zebra, camel, donkey, pony, hamster, swan, seal,
whale, crab, badger, bat, bee, beetle, buffalo, butterfly, canary, caterpillar, cheetah, chicken, cobra, cricket, crocodile,
dolphin, dove, dragonfly, elephant, falcon, ferret, flamingo, gecko, giraffe, gorilla, hawk, heron, hippo, jaguar, kangaroo,
koala, ladybird, lamb, leopard, llama, lobster, magpie, mole, moose, mule, newt, octopus, ostrich, ox, panda, panther, peacock,
pelican, penguin, pigeon, puffin, puma, python, raccoon, rat, raven, robin, rooster, salamander, seagull, shark, skunk, snail,
sparrow, spider, starling, stork, toad, toucan, turkey, vulture, walrus, weasel, woodpecker, worm, yak
"""))
FOODS = Words("foods", words_of("""
bread, soup, cheese, rice, honey, jam, butter, milk, cake, porridge, salad, stew, pasta, fish, corn, yoghurt, chocolate, popcorn,
tea, juice, pudding, toast, ham, pie, cabbage, spinach, pumpkin, melon, cocoa, lemonade, custard, gravy, mustard, pepper, garlic,
bacon, tofu, curry, almond cake, apple pie, barley, beef, broccoli, broth, caramel, cauliflower, celery, cereal, chicken soup,
chutney, cider, cinnamon bread, coconut, coffee, couscous, cream, crispbread, cucumber salad, dough, fudge, ginger,
granola, grape juice, ice cream, jelly, ketchup, kale, lamb stew, lasagne, leek soup, lentils, lettuce, liver, macaroni,
maple syrup, marmalade, mashed potatoes, meat, muesli, mushroom soup, noodles, nougat, oatmeal, olive oil, onion soup, parsley,
pastry, peanut butter, pickles, pizza, plum cake, pork, potato salad, pretzels, quince jam, radish salad, ravioli, rhubarb,
risotto, roast beef, sago, salmon, salsa, sauerkraut, sausage, seaweed, sherbet, smoked fish, sorbet, spaghetti, sponge cake,
strawberry jam, sugar, sushi, sweetcorn, tapioca, toffee, tomato soup, trout, tuna, turnip stew, vanilla cream, venison,
waffle cake, walnut bread, water, wheat bread, whipped cream, white rice, zucchini bread
"""), common="butter fish juice")
JOBS = Words("jobs", words_of("""
baker, farmer, teacher, doctor, nurse, painter, sailor, singer, dancer, writer, tailor, miller, hunter, gardener, carpenter,
builder, driver, pilot, cook, waiter, barber, butcher, fisher, weaver, potter, plumber, printer, lawyer, judge, soldier, guard,
clerk, banker, engineer, actor, poet, librarian, shepherd, blacksmith, mechanic, dentist, postman, acrobat, archer, architect,
artist, astronaut, athlete, author, beekeeper, biologist, boxer, brewer, bricklayer, broker, cashier, chemist, cleaner, clown,
coach, cobbler, composer, conductor, cowboy, designer, detective, diver, editor, electrician, explorer, fireman, florist,
glassmaker, goldsmith, grocer, guide, hairdresser, innkeeper, inventor, jeweller, jockey, juggler, locksmith, lumberjack,
magician, mason, messenger, milkman, miner, minister, musician, notary, optician, painter of signs, pharmacist, photographer,
pianist, policeman, porter, professor, ranger, reporter, roofer, saddler, scientist, sculptor, secretary, shoemaker, surgeon,
surveyor, tanner, thatcher, trainer, translator, umpire, vet, watchmaker, welder, woodcutter, zookeeper
"""))
_ROOMS = words_of("""
in the barn, in the garden, in the kitchen, in the attic, in the cellar, in the cave, in the forest, in the tower, in the shed,
in the stable, in the library, in the museum, in the harbour, in the market, in the castle, in the valley, in the meadow,
in the swamp, in the tunnel, in the office, in the hall, in the pantry, in the greenhouse, in the workshop, in the courtyard,
in the orchard, in the vineyard, in the park, in the desert, in the jungle, in the canyon, in the quarry, in the ruins,
in the chapel, in the temple, in the palace, in the dungeon, in the laundry, in the garage, in the classroom, in the gym,
in the stadium, in the factory, in the warehouse, in the lighthouse, in the hut, in the cabin, in the cottage, in the igloo,
in the mine, in the moat, in the nursery, in the dining room, in the bathroom, in the bedroom, under the table, under the bridge,
under the bed, under the stairs, under the oak tree, under the carpet, under the porch, under the apple tree,
under the bush, under the floor, under the arch, under the hay, under the leaves, under the haystack, under the pier, on the roof,
on the hill, on the beach, on the island, on the balcony, on the counter, on the windowsill, on the platform, on the terrace,
on the field, on the cliff, on the lawn, on the dock, on the deck, on the stage, on the chimney, on the mountain, on the sandbank,
on the wall, behind the house, behind the church, behind the curtain, behind the mill, behind the fence, behind the waterfall,
behind the hedge, behind the rocks, behind the statue, behind the door, behind the wardrobe, behind the barrels,
behind the bookcase, behind the tavern, near the well, near the river, near the lake, near the gate, near the pond,
near the fountain, near the station, near the creek, near the dam, near the crossroads, near the signpost, near the mailbox,
near the playground, near the campfire, near the canal, near the volcano, beside the stove, beside the road, beside the fireplace,
beside the piano, beside the sink, beside the bathtub, beside the path, beside the railway, beside the cradle, beside the throne,
beside the altar, beside the beehive, beside the windmill, beside the pump, at the school, at the inn, at the theatre,
at the airport, at the hospital, at the bakery, at the bank, at the cinema, at the circus, at the fair, at the zoo,
at the post office, at the town hall, at the bus stop, at the campsite, at the monastery, at the sawmill, at the shipyard
""")
PLACES = Words("places", _ROOMS, common=" ".join(THINGS.train))
COLOURS = words_of("red, blue, green, yellow, black, white, brown, orange, purple, pink, grey")
DAYS = words_of("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
MONTHS = words_of("January, February, March, April, May, June, July, August, September, October, November, December")
INSTRUMENTS = words_of("piano, harp, organ, cello, banjo, tuba, clarinet, accordion, harmonica, saxophone")
ADJECTIVES = words_of("""
red, blue, green, yellow, black, white, brown, golden, silver, wooden, old, new, small, big, tiny, heavy, light, round, broken,
shiny, dusty, soft, pretty, strange, plain, rusty, clean, wet, warm, cold, thin, thick, long, short, cheap, lovely, striped,
empty, ugly, grey, pink, huge, purple, orange, smooth, rough, crooked, fancy, simple, dirty, precious, rare, famous,
foreign, funny, hollow, narrow, wide, polished, borrowed
""")
_IRREGULAR = {"goose": "geese", "mouse": "mice", "wolf": "wolves", "sheep": "sheep", "deer": "deer", "ox": "oxen", "moose": "moose",
              "salmon": "salmon", "buffalo": "buffaloes"}


def plural(noun: str) -> str:
    """The plural of an animal of this file."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(("s", "sh", "ch", "x", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def article(phrase: str) -> str:
    """`phrase` behind its "a" or "an"."""
    use_an = phrase[0] in "aeio" or (phrase[0] == "u" and not phrase.startswith(("uni", "use", "uku")))
    return ("an " if use_an or phrase.startswith("hour") else "a ") + phrase


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


def thing(rand: Rand) -> str:
    """A thing with an adjective, without an article."""
    return f"{rand.pick(ADJECTIVES)} {THINGS.pick(rand)}"
