"""Sentences of a story that state no fact: openings and closings of each style, small events, weather and places.

{P} and {Q} are people of the story, {N} is a person outside it, {T} a town, {n} a number, {d} a day, {m} a month.
"""
from .bank import Bank

PEOPLE = Bank("filler people", """
    {P} smiled and looked out of the window.
    {P} sat down for a moment and took a deep breath.
    {P} was in a good mood that day.
    {P} walked slowly and said nothing.
    {P} laughed at a joke that {Q} told.
    {P} and {Q} walked side by side for a while.
    {P} waved to {Q} from far away.
    {P} wanted to rest, but {Q} wanted to go on.
    {P} told {Q} not to worry.
    {P} asked {Q} for some help, and {Q} was glad to give it.
    {P} was tired after the long day.
    {P} began to sing, and {Q} sang along.
    {P} thought about it for a long time.
    {P} did not know what to say.
    {P} had slept well and felt strong.
    {P} and {Q} are good friends.
    {P} helped {Q} with the work.
    {P} yawned and closed both eyes for a moment.
    {P} told a funny story, and {Q} laughed out loud.
    {P} came a little late, but {Q} did not mind.
    {P} ran as fast as the wind.
    {P} listened to the rain and felt happy.
    {P} asked a question, but nobody knew the answer.
    {P} went to bed early and slept until morning.
    {P} woke up before the sun.
    {P} and {Q} agreed about nearly everything.
    {P} and {Q} could not agree at first.
    {P} promised to come back soon.
    {P} was a little afraid of the dark.
    {P} said good morning to {Q}.
    {P} wrote a few lines to {Q}.
    {P} wished {Q} a good night.
    {P} looked at the sky and counted the clouds.
    {P} was quiet for once.
    {P} whispered something, and {Q} nodded.
    {P} felt a little cold and walked faster.
    {P} hoped that {Q} would stay.
    {P} was glad to see {Q} again.
    {P} stopped to look at the flowers.
    {P} had nothing to do and waited for {Q}.
    {P} likes to get up early.
    {P} is always friendly to {Q}.
    {P} learned a new song from {Q}.
    {P} shook hands with {Q}.
    {P} and {Q} talked about old times.
    {P} and {Q} were both very hungry.
    {P} and {Q} had not seen each other for years.
    {P} and {Q} took the long way home.
    {P} tried to remember the words of an old song.
    {P} said that the weather would get better.
    {P} turned around and saw {Q}.
    {P} thanked {Q} for everything.
    {P} forgave {Q} for the mistake.
    {P} had a strange dream about {Q}.
    {P} is taller than {Q}.
    {P} is older than {Q}, but not by much.
    {P} was angry with {Q} for a moment, but not for long.
    {P} had been ill, but now felt well again.
    {P} washed both hands and dried them.
    {P} opened the window to let in some air.
    ~{P} smiled and sat down for a while.
    ~{P} and {Q} laughed and walked on.
    ~{P} wanted to help {Q} with the work.
    ~{P} was glad and began to sing.
    ~{P} said good night to {Q}.
    ~{P} looked at the clouds and thought about {Q}.
    ~{P} was tired and went to bed early.
    ~{P} and {Q} talked for a long time.
    ~{P} hoped that the weather would get better.
    """)
SCENE = Bank("filler scenes", """
    The sun was shining and the air was warm.
    A soft wind came from the sea.
    It rained a little in the afternoon.
    The streets were quiet and almost empty.
    Somewhere far away a door closed.
    Nobody was in a hurry.
    The birds sang in the trees.
    The evening was cool and calm.
    There was a smell of fresh grass.
    The days went by quickly.
    Nothing else happened for a while.
    Everybody was happy about that.
    The night was dark and full of stars.
    The people of the town talked about it for days.
    The snow lay deep on the fields.
    A storm was coming, and the sky turned dark.
    The moon came up behind the trees.
    Not a sound could be heard.
    The road was long and dusty.
    Leaves fell from the trees.
    The summer had been long and hot.
    It was a cold winter that year.
    Spring came early, and everything was in bloom.
    The grass was wet in the morning.
    Smoke rose from the roofs of the town.
    Children were laughing in the street.
    Somebody was singing an old song.
    The fog was so thick that nobody could see far.
    The water was clear and cold.
    The wind blew all night.
    In the morning the rain stopped.
    It was almost midnight.
    The work was hard, but it was done in time.
    Time passed, and nobody noticed it.
    Nobody could say why.
    It was a good year for everyone.
    There was a lot of noise in the street.
    Then everything was quiet again.
    The day began like any other day.
    In the end all was well.
    A few drops of rain fell.
    The air smelled of flowers.
    The shops were already closed.
    The train was late again.
    The sky was blue, without a single cloud.
    A dog barked in the distance.
    A cat slept in the sun.
    Hens walked around on the grass.
    Every window in the street was dark.
    The fire was warm, and the room was full of light.
    ~The evening was warm and quiet.
    ~A cool wind came, and it rained a little.
    ~The sky was dark, and the wind blew all day.
    ~The birds sang, and the sun was shining.
    ~The morning was cold, and the grass was wet.
    ~Nobody noticed that the rain stopped.
    ~It was a long winter, and the snow lay deep.
    ~The moon was clear, and the street was empty.
    """)
_OPENINGS = {
    "plain": """
        This is a story about {P}.
        This story is about {P} and {Q}.
        It was an ordinary day.
        Let me tell you about {P} and {Q}.
        Here is what happened to {P}.
        {P} and {Q} have known each other for a long time.
        Much has happened since last year.
        ~This is a story about {P} and {Q}.
        """,
    "letter": """
        Dear {N},\\nI hope that you are well. Here is the news.
        Dear {N},\\nthank you for your letter. There is much to tell.
        Dear {N},\\nit is a long time since I wrote. Much has happened.
        My dear {N},\\nyou asked me for news, so here it is.
        Hello {N},\\nI have a free hour, so I will write to you.
        ~Dear {N},\\nI hope that you are well. There is much to tell.
        """,
    "diary": """
        Dear diary, this was a long day.
        Dear diary, today I heard a lot of news.
        Dear diary, I must write this down before I forget it.
        Dear diary, it is late, but I want to write a little.
        Page {n}. It was a quiet day.
        ~Dear diary, today was a long day.
        """,
    "report": """
        Report number {n}. These are the facts.
        Notes of the day, page {n}.
        Report of the town {T}. This is what we know.
        These notes were made in {T}.
        Short report, page {n}.
        ~Report number {n}. Notes of the day.
        """,
    "dialogue": """
        {N}: Have you heard the news?
        {N}: Tell me, what is new?
        {N}: Good morning! Do you have a moment?
        {N}: I have so much to tell you.
        {N}: You will not believe what I heard.
        ~{N}: Good morning! Have you heard the news?
        """,
    "fairy": """
        Once upon a time there was a small kingdom called {T}.
        Long, long ago, when wishes still came true, there was a land called {T}.
        Far away, behind seven mountains, lay the kingdom of {T}.
        Once there was a king in {T} who loved stories. This was the best of them.
        In old times, when animals could talk, people told this story in {T}.
        ~Once upon a time there was a land called {T}.
        """,
}
_CLOSINGS = {
    "plain": """
        That was the end of the day.
        And that is the whole story.
        That is how it was.
        There is nothing more to tell.
        ~And that was the end of the story.
        """,
    "letter": """
        Please write soon.\\nYour friend {N}
        With best wishes,\\n{N}
        I hope to hear from you soon.\\nYours, {N}
        Take good care of yourself.\\nLove, {N}
        ~Please write soon.\\nWith best wishes, {N}
        """,
    "diary": """
        Now I am tired. Good night, dear diary.
        That is all for today.
        Tomorrow I will write more.
        I will never forget this day.
        ~That is all for today, dear diary.
        """,
    "report": """
        End of the report.
        Nothing else was seen.
        This is all that we know.
        Signed by {N}.
        ~End of the notes.
        """,
    "dialogue": """
        {N}: That is all I know.
        {N}: Thank you for telling me.
        {N}: How nice! Let us talk again soon.
        {N}: I would never have thought of that.
        ~{N}: Thank you, that is all.
        """,
    "fairy": """
        And they all lived happily ever after.
        And if they have not moved away, they still live there today.
        And the old people of the kingdom still tell this story.
        So ends the story of the kingdom.
        ~And they all lived happily.
        """,
}
OPENINGS = {style: Bank(f"open {style}", text) for style, text in _OPENINGS.items()}
CLOSINGS = {style: Bank(f"close {style}", text) for style, text in _CLOSINGS.items()}
LEAD_PAST = Bank("lead past", """
    Then
    Later
    After that
    One morning
    One evening
    In the afternoon
    The next day
    A week later
    After a while
    Last summer
    Not long ago
    ~Later that day
    """)
LEAD_NOW = Bank("lead now", """
    As you know,
    By the way,
    Everybody knows that
    It is true that
    People say that
    You should know that
    As far as we know,
    It is no secret that
    ~As everybody knows,
    """)
STYLES = tuple(OPENINGS)
