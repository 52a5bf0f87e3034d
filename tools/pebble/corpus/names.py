"""Names: first names written by hand, and thousands built of syllables for people, towns, pets and secret words.

A small model meets each built name a few times at most, so it must copy pieces and cannot learn the names by heart.
GENDER says which pronoun a name takes.
"""
from . import nouns
from .bank import Words, words_of
from .rand import Rand

GIRLS = words_of("""
Anna, Mira, Lena, Nora, Ella, Ida, Clara, Rosa, Emma, Lucy, Alice, Ruth, Sara, Maya, Nina, Tessa, Greta, Hanna, Julia, Katie,
Laura, Molly, Olive, Paula, Rita, Sonia, Tina, Vera, Wanda, Zoe, Amy, Beth, Carla, Daisy, Edith, Fiona, Gina, Heidi, Irene, Jane,
Karen, Lily, Maria, Nelly, Olga, Pearl, Rachel, Sophie, Tara, Una, Violet, Wendy, Yara, Agnes, Bella, Cora, Dora, Elsa, Frida,
Gloria, Helen, Iris, Joan, Kira, Leah, Mabel, Nadia, Opal, Penny, Rhea, Stella, Thea, Ursula, Viola, Willa, Yvonne, Zelda, Astrid,
Bianca, Celia, Delia, Eva, Flora, Hazel, Abigail, Ada, Adele, Aisha, Alma, Amanda, Amelia, Angela, Anita, Annika, Ariel, Audrey,
Aurora, Barbara, Beatrice, Berta, Betty, Brenda, Bridget, Camilla, Carmen, Carol, Caroline, Catherine, Cecilia, Charlotte, Chloe,
Christine, Cindy, Claire, Claudia, Colette, Connie, Cynthia, Dagmar, Dana, Daniela, Daphne, Deborah, Denise, Diana, Dinah, Donna,
Doris, Dorothy, Edna, Eileen, Elaine, Eleanor, Elena, Elinor, Eliza, Elizabeth, Ellen, Eloise, Elvira, Emilia, Emily, Erica, Erin,
Esther, Ethel, Eunice, Evelyn, Faith, Fatima, Fay, Felicity, Franka, Freya, Gabriela, Gerda, Gertrude, Gilda, Grace, Gwen,
Harriet, Heather, Hedwig, Helga, Henrietta, Hilda, Holly, Hope, Ilse, Imogen, Ines, Ingrid, Irma, Isabel, Ivy, Jacqueline, Janet,
Jasmin, Jennifer, Jessica, Jill, Johanna, Josephine, Joy, Judith, Justine, Kamila, Karin, Kate, Kathleen, Kim, Klara, Kristin,
Lara, Larissa, Lavinia, Lea, Leila, Leona, Leonora, Lia, Linda, Lisa, Liv, Lola, Lorena, Lottie, Louise, Lucia, Ludmila, Luise,
Luna, Lydia, Magda, Maggie, Malin, Mandy, Manuela, Margaret, Marianne, Marina, Marion, Marlene, Martha, Mary, Matilda, Maud, Meg,
Melanie, Melissa, Mercy, Mia, Milena, Millie, Mina, Miriam, Mona, Monica, Myra, Naomi, Natalie, Natasha, Nicole, Noemi, Norma,
Octavia, Odette, Olivia, Pamela, Patricia, Petra, Philippa, Phoebe, Polly, Priya, Ramona, Rebecca, Regina, Renata, Rhoda, Roberta,
Romy, Ronja, Rosalind, Rosemary, Rowena, Roxana, Sabine, Sally, Samira, Sandra, Saskia, Selma, Shirley, Sigrid, Silvia, Simone,
Solveig, Susan, Svea, Sybil, Tamara, Tatiana, Thelma, Theresa, Tilda, Trudy, Valerie, Vanessa, Verena, Veronica, Victoria, Vivian,
Wilma, Winifred, Zara
""")
BOYS = words_of("""
Tom, Ben, Max, Leo, Paul, Karl, Oskar, Hugo, Felix, Jonas, Adam, Noah, Peter, David, Simon, Lukas, Martin, Oliver, Robert, Samuel,
Victor, Walter, Aaron, Bruno, Colin, Daniel, Edgar, Frank, George, Harold, Ivan, Jack, Kevin, Liam, Mark, Nathan, Otto, Philip,
Quentin, Ralph, Steven, Theo, Ulrich, Vincent, William, Xavier, Albert, Bernard, Conrad, Dennis, Ernest, Fabian, Gordon, Henry,
Isaac, Jacob, Kurt, Louis, Miles, Norman, Oswald, Patrick, Rufus, Stanley, Tobias, Vernon, Wesley, Alan, Boris, Cedric, Dexter,
Elias, Floyd, Gavin, Howard, Ian, Joel, Keith, Abel, Abraham, Ahmed, Alec, Alexander, Alfred, Ali, Alvin, Amir, Amos, Andrew,
Anton, Archie, Arnold, Arthur, Arvid, Axel, Barnaby, Barry, Basil, Benedict, Benjamin, Bert, Bill, Bob, Brian, Bryan, Byron,
Caleb, Calvin, Carl, Caspar, Charles, Chester, Christian, Clark, Claude, Clement, Clifford, Clive, Cornelius, Craig, Curtis,
Cyril, Damian, Darius, Dean, Derek, Diego, Dirk, Dominic, Donald, Douglas, Duncan, Dustin, Dylan, Earl, Eddie, Edmund, Edward,
Edwin, Egon, Eli, Elliot, Elmer, Emil, Eric, Ethan, Eugene, Evan, Ezra, Ferdinand, Fergus, Finn, Francis, Frederick, Gabriel,
Gareth, Geoffrey, Gerald, Gilbert, Giles, Glenn, Graham, Gregory, Gus, Gustav, Guy, Hamish, Hans, Harry, Harvey, Hector, Herbert,
Herman, Holger, Horace, Hubert, Humphrey, Ignaz, Igor, Ingo, Ira, Irving, Ismael, Jakob, James, Jared, Jason, Jasper, Jens,
Jeremy, Jerome, Jesse, Jim, Joachim, Johan, John, Jonathan, Jordan, Joseph, Joshua, Julian, Justin, Kai, Kenneth, Kilian, Klaus,
Konrad, Lars, Lance, Laurence, Leander, Leif, Lennart, Leonard, Leroy, Leslie, Lester, Levi, Lionel, Lloyd, Logan, Lorenz, Lothar,
Luca, Lucian, Ludwig, Luis, Luke, Luther, Magnus, Malcolm, Manfred, Manuel, Marcel, Marco, Marcus, Mario, Marlon, Marvin, Matthew,
Matthias, Maurice, Melvin, Michael, Milo, Milton, Mohamed, Morris, Moses, Nelson, Neville, Nicholas, Nigel, Nils, Noel, Olaf,
Omar, Orlando, Oscar, Owen, Pascal, Pedro, Percy, Pierre, Rafael, Ramon, Raymond, Reginald, Reuben, Richard, Roger, Roland, Roman,
Ronald, Rory, Ross, Roy, Rudolf, Rupert, Russell, Ryan, Sebastian, Seth, Sidney, Silas, Stefan, Stuart, Sven, Sylvester, Tarek,
Ted, Terence, Thomas, Tim, Timothy, Tony, Tristan, Tyler, Urban, Valentin, Vladimir, Warren, Werner, Wilbur, Wilfred, Willy,
Winston, Wolfgang, Yannick, Yusuf, Zachary
""")
_STARTS = "B Br C Cl D Dr F Fl G Gr H J K L M N P Pr R S Sh St T Th Tr V W Z Al El Or Ar In Un An".split()
_MIDDLES = "a e i o u ai ea ee oa".split()
_LINKS = "l m n r s t v d b k ll nd rr st lm rt nn".split()
_GIRL_ENDS = "a ia ina ela ena isa ora ya ine elle".split()
_BOY_ENDS = "o an en in on us er or ak ek im os".split()
_TOWN_ENDS = "ton ville ford ham field wick burg dale port mouth stead well by".split()
_WORD_ENDS = "o um ix ot el ap iz ul ek".split()


def _built(key: str, ends: list[str], count: int) -> list[str]:
    """`count` different names: start, middle, link, end."""
    rand = Rand(f"pebble names {key}", False)
    found: dict[str, None] = {}
    while len(found) < count:
        found[rand.pick(_STARTS) + rand.pick(_MIDDLES) + rand.pick(_LINKS) + rand.pick(ends)] = None
    return list(found)


_GIRLS_BUILT = [name for name in _built("girls", _GIRL_ENDS, 2000) if name not in GIRLS]
_BOYS_BUILT = [name for name in _built("boys", _BOY_ENDS, 2000) if name not in BOYS]
GENDER = {name: "she" for name in GIRLS + _GIRLS_BUILT} | {name: "he" for name in BOYS + _BOYS_BUILT}
PEOPLE = Words("first names", GIRLS + BOYS)
BUILT_PEOPLE = Words("built names", [name for name in _GIRLS_BUILT + _BOYS_BUILT if name not in GIRLS + BOYS])
TOWNS = Words("towns", _built("towns", _TOWN_ENDS, 1500))
_NOUNS = dict.fromkeys(word for sort in (nouns.THINGS, nouns.ANIMALS, nouns.FOODS) for word in sort.train + sort.heldout)
PETS = Words("pets", [name for name in _built("pets", ["y", "ie", "o", "i", "ax", "ow"], 800) if name not in GENDER])
SECRETS = Words("secret words", [name.lower() for name in _built("secrets", _WORD_ENDS, 1500) if name.lower() not in _NOUNS])


def person(rand: Rand) -> str:
    """A first name, as often a built one as not."""
    return (PEOPLE if rand.chance(0.5) else BUILT_PEOPLE).pick(rand)
